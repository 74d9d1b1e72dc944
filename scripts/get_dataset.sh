#!/usr/bin/env bash
# Downloads a data set from its public home and verifies its checksum. Prints the file's path.
#
#   scripts/get_dataset.sh NAME [-o FOLDER] [--from MIRROR]
#   scripts/get_dataset.sh --list
#
#   -o FOLDER       where to put it (data/)
#   --from MIRROR   a folder or a base address that holds the file under its own name; also by HALOGNN_MIRROR
#
# A file that is there already, with the right checksum, is kept.
. "$(dirname "$0")/common.sh"

# name, file, sha256, address, what it is
table() {
  cat <<'END'
cora cora.npz 068e22d90c3849b4057dfb05851741428992af058efcd4e7ebb4186f3d581de2 https://raw.githubusercontent.com/shchur/gnn-benchmark/1e72912a0810cdf27ae54fd589a3b43358a2b161/data/npz/cora.npz 2,708 papers, 5,429 citations, 1,433 words, 7 subjects (gnn-benchmark, MIT)
END
}

name='' folder=$ROOT/data mirror=${HALOGNN_MIRROR:-}
while [ "$#" -gt 0 ]; do
  case "$1" in
    -o | --from) [ "$#" -ge 2 ] || die "$1 needs a value" ;;
  esac
  case "$1" in
    -o) folder=$2 && shift ;;
    --from) mirror=$2 && shift ;;
    --list)
      table | while read -r n _ _ _ about; do printf '%-8s %s\n' "$n" "$about"; done
      exit 0
      ;;
    -h | --help)
      usage_of "$0"
      exit 0
      ;;
    -*) die "unknown option '$1'; see --help" ;;
    *) name=$1 ;;
  esac
  shift
done
[ -n "$name" ] || die "which data set? see --list"
read -r _ file sha256 address _ < <(table | grep "^$name ") || die "no data set '$name'; there are: $(table | cut -d' ' -f1 | xargs)"

checksum() { sha256sum "$1" | cut -d' ' -f1; }

fetch() { # fetch ADDRESS TO
  if command -v curl >/dev/null; then
    curl -fsSL --retry 2 --connect-timeout 15 --max-time 600 -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q --tries=3 --timeout=30 -O "$2" "$1"
  else
    die "neither curl nor wget is here; run scripts/install_deps.sh"
  fi
}

target=$folder/$file
if [ -f "$target" ] && [ "$(checksum "$target")" = "$sha256" ]; then
  say "$target is here already"
  printf '%s\n' "$target"
  exit 0
fi
[ ! -e "$target" ] || die "$target is another file than $name's (sha256 $(checksum "$target"), expected $sha256); move it away or use -o"

mkdir -p "$folder" || die "cannot make the folder $folder"
part=$(mktemp "$folder/.$file.XXXXXX") || die "cannot write into $folder"
trap 'rm -f "$part"' EXIT
case "$mirror" in
  '') source=$address ;;
  *://*) source=${mirror%/}/$file ;;
  *) source=${mirror%/}/$file && { [ -f "$source" ] || die "$source: no such file in the mirror"; } ;;
esac
say "fetching $source"
case "$source" in
  *://*) fetch "$source" "$part" || die "$source: could not be fetched. Is the network up? --from MIRROR takes it from elsewhere" ;;
  *) cp "$source" "$part" || die "$source: could not be copied" ;;
esac
found=$(checksum "$part")
[ "$found" = "$sha256" ] || die "$source: sha256 is $found, expected $sha256; nothing was kept"
chmod 644 "$part"
mv "$part" "$target"
trap - EXIT
printf '%s\n' "$target"
