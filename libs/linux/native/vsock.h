// vsock(7) where it is more than a socket.
#pragma once

#include <linux/vm_sockets.h>
#include <sys/ioctl.h>

#include "call.h"

namespace vm_linux {

// The context id of this machine, asked of /dev/vsock.
inline int64_t vsock_local_cid(int fd) {
  unsigned int cid = 0;
  const int64_t result = retry([&] { return ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid); });
  return result < 0 ? result : static_cast<int64_t>(cid);
}

}  // namespace vm_linux
