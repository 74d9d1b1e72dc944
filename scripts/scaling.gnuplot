# gnuplot -e "folder = 'runs/scaling_x'; name = 'x'; kind = 'png'; columns = 14" scripts/scaling.gnuplot
# folder/scaling.csv of that many columns -> folder/scaling.png, or .svg
# ten phases, and gnuplot repeats its colours after eight
set linetype 9 lc rgb "#999999"
set linetype 10 lc rgb "#8c564b"
set datafile separator ','
csv = folder.'/scaling.csv'
stats csv using 'epoch_seconds' every ::0::0 nooutput
first_seconds = STATS_max
stats csv using 'ranks' nooutput
first_ranks = STATS_min
first_phase = 11

if (kind eq 'png') { set terminal pngcairo size 1200, 900 font 'sans,11' } else { set terminal svg size 1200, 900 dynamic font 'sans,11' }
set output folder.'/scaling.'.kind
set multiplot layout 2, 2 title name.': scaling over MPI ranks' noenhanced
set grid
set logscale x 2
set xlabel 'ranks'
set key top left

set ylabel 'ms per epoch (median)'
set logscale y
set key top right
plot csv using 'ranks':(1e3 * column('epoch_seconds')) with linespoints pt 7 lw 2 title 'measured', \
     csv using 'ranks':(1e3 * first_seconds * first_ranks / column('ranks')) with lines dt 2 lc 'gray40' title 'ideal'
unset logscale y

set yrange [0:*]
set ylabel 'speed-up'
set key top left
plot csv using 'ranks':'speedup' with linespoints pt 7 lw 2 title 'measured', \
     csv using 'ranks':'ranks' with lines dt 2 lc 'gray40' title 'ideal'

unset logscale x
set style data histograms
set style histogram rowstacked
set style fill solid 0.8
set boxwidth 0.7
set ylabel 'ms per epoch, slowest rank'
set key outside right
plot for [i = first_phase:columns] csv using (1e3 * column(i)):xtic(1) title columnheader(i) noenhanced

set style data boxes
set key off
set ylabel 'MiB sent in halo exchanges per epoch'
plot csv using 0:(column('halo_bytes') / 1048576.0):xtic(1) with boxes title ''
unset multiplot
