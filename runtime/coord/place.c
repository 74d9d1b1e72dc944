#include "runtime/coord/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/files.h"

static const char socket_name[] = "/coordinator";
enum { SUN_PATH_MAX = 107 }; // of a Unix socket, without its NUL

static hg_status make_token(char token[HG_TOKEN_SIZE])
{
  unsigned char bytes[(HG_TOKEN_SIZE - 1) / 2];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return hg_fail(HG_ERR_IO, "the system gives no random bytes: %s", strerror(errno));
  for (size_t k = 0; k < sizeof bytes; k++) snprintf(token + 2 * k, 3, "%02x", bytes[k]);
  return HG_OK;
}

static hg_status make_folder(hg_place *place)
{
  static const char name[] = "/halognn-XXXXXX";
  const char *parent = getenv("TMPDIR");
  if (!parent || parent[0] != '/' || strlen(parent) + strlen(name) + strlen(socket_name) > SUN_PATH_MAX)
    parent = "/tmp";
  snprintf(place->folder, sizeof place->folder, "%s%s", parent, name);
  if (!mkdtemp(place->folder)) {
    int why = errno;
    place->folder[0] = '\0';
    return hg_fail(HG_ERR_IO, "%s: cannot make a folder for the coordinator's socket: %s", parent, strerror(why));
  }
  snprintf(place->endpoint, sizeof place->endpoint, "ipc://%s%s", place->folder, socket_name);
  return HG_OK;
}

/** Bridges of containers and virtual machines are up, but lead to no other host. */
static bool leads_out(const struct ifaddrs *at)
{
  static const char *const bridges[] = {"docker", "br-", "virbr", "veth", "lxc", "cni", "flannel"};
  if (at->ifa_flags & IFF_LOOPBACK) return false;
  for (size_t k = 0; k < sizeof bridges / sizeof *bridges; k++)
    if (strncmp(at->ifa_name, bridges[k], strlen(bridges[k])) == 0) return false;
  return true;
}

static bool is_usable(const struct ifaddrs *at)
{
  return at->ifa_addr && at->ifa_addr->sa_family == AF_INET && (at->ifa_flags & IFF_UP);
}

static void list_names(const struct ifaddrs *all, char *names, size_t size)
{
  size_t used = 0;
  names[0] = '\0';
  for (const struct ifaddrs *at = all; at && used < size; at = at->ifa_next)
    if (is_usable(at)) used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "", at->ifa_name);
}

static hg_status find_ipv4(const struct ifaddrs *all, bool one_host, char host[INET_ADDRSTRLEN])
{
  const char *wanted = getenv("HALOGNN_INTERFACE");
  if (wanted && !wanted[0]) wanted = NULL;
  for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
    if (!is_usable(at) || (wanted ? strcmp(at->ifa_name, wanted) != 0 : !leads_out(at))) continue;
    struct sockaddr_in address;
    memcpy(&address, at->ifa_addr, sizeof address);
    inet_ntop(AF_INET, &address.sin_addr, host, INET_ADDRSTRLEN);
    return HG_OK;
  }
  char names[256];
  list_names(all, names, sizeof names);
  if (wanted)
    return hg_fail(HG_ERR_INPUT,
                   "HALOGNN_INTERFACE: found no interface \"%s\" that is up with an IPv4 address, expected one of %s",
                   wanted, names);
  if (!one_host)
    return hg_fail(HG_ERR_IO, "no interface leads to other hosts (%s); name one in HALOGNN_INTERFACE", names);
  snprintf(host, INET_ADDRSTRLEN, "127.0.0.1");
  return HG_OK;
}

static hg_status choose_host(hg_place *place, bool one_host)
{
  struct ifaddrs *all = NULL;
  char host[INET_ADDRSTRLEN];
  if (getifaddrs(&all) != 0) return hg_fail(HG_ERR_IO, "cannot list the network interfaces: %s", strerror(errno));
  hg_status rc = find_ipv4(all, one_host, host);
  freeifaddrs(all);
  if (rc == HG_OK) snprintf(place->endpoint, sizeof place->endpoint, "tcp://%s:*", host);
  return rc;
}

hg_status hg_place_make(hg_place *place, hg_transport transport, bool one_host)
{
  memset(place, 0, sizeof *place);
  if (transport == HG_TRANSPORT_IPC && !one_host)
    return hg_fail(HG_ERR_INPUT, "coordinator.transport: found ipc with ranks on several hosts, expected auto or tcp");
  hg_status rc = make_token(place->token);
  if (rc != HG_OK) return rc;
  bool ipc = transport == HG_TRANSPORT_IPC || (transport == HG_TRANSPORT_AUTO && one_host);
  return ipc ? make_folder(place) : choose_host(place, one_host);
}

void hg_place_remove(hg_place *place)
{
  if (!place->folder[0]) return;
  unlink(place->endpoint + strlen("ipc://")); // libzmq has done so, unless it never bound
  rmdir(place->folder);
  place->folder[0] = '\0';
}

hg_status hg_place_write(const char *path, const char *address)
{
  hg_new_file file;
  hg_status rc = hg_new_file_begin(&file, path);
  if (rc != HG_OK) return rc;
  int fd = open(file.temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  json_t *object = json_pack("{s:i, s:s}", "version", HG_PROTOCOL_VERSION, "address", address);
  bool written =
      fd >= 0 && object && fchmod(fd, 0600) == 0 && json_dumpfd(object, fd, 0) == 0 && write(fd, "\n", 1) == 1;
  int why = errno;
  json_decref(object);
  if (fd >= 0 && close(fd) != 0) written = false;
  if (written) return hg_new_file_commit(&file);
  hg_new_file_abandon(&file);
  return hg_fail(HG_ERR_IO, "%s: cannot write: %s", path, strerror(why));
}
