import { hot } from './addon.ts';

/**
 * splice(2) without offsets: moves up to `length` bytes between two descriptors, one of which is a pipe, without copying them
 * through user space. `/dev/null` swallows them.
 * @param flags `SPLICE_F_*` of {@link constants}; with `SPLICE_F_NONBLOCK` a pipe that is empty, or full, gives -EAGAIN
 * @returns how many bytes were moved (0: end of the input), or a negative errno (-EINVAL: neither is a pipe)
 */
export const splice = hot<(from: number, to: number, length: number, flags: number) => number>('splice');

/**
 * fcntl(2) `F_SETPIPE_SZ`: how many bytes a pipe holds, rounded up by the kernel.
 * @returns the size that it has now, or a negative errno (-EPERM: beyond `/proc/sys/fs/pipe-max-size`; -EBUSY: more than that is
 *   in it; -EBADF: no pipe)
 */
export const setPipeSize = hot<(fd: number, size: number) => number>('setPipeSize');
