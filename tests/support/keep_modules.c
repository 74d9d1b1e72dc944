// Only in sanitizer builds. Open MPI unloads its plug-ins at exit, after which LeakSanitizer cannot name their
// frames, so that no suppression matches. Never unload.
int dlclose(void *handle);
int dlclose(void *handle)
{
  (void)handle;
  return 0;
}
