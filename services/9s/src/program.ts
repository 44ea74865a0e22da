import {
  addressFor,
  defineProgram,
  InvalidValue,
  packageVersion,
  serviceEnvironment,
  wholeNumber,
} from '@vm-tools/daemon';

// The highest number of 32 bits is no id: chown(2) takes it for "unchanged".
const MAX_ID = 0xfffffffe;
const id = wholeNumber({ max: MAX_ID });

export type IdPair = readonly [host: number, client: number];
export type NamedDirectory = readonly [name: string, path: string];

/** Command line, help text, man page and completion of 9s. */
export const program = defineProgram({
  name: '9s',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: 'serve a directory over 9P2000.L',
  description: [
    'Clients see the directory and what is below it, and never anything else: symbolic links are theirs to follow. ' +
      'Files are created with exactly the mode that the client asks for.',
  ],
  options: {
    root: {
      short: 'r',
      value: 'DIR',
      completes: 'directory',
      description: 'the directory to serve, whatever name (aname) clients attach to',
    },
    export: {
      value: 'NAME=DIR',
      repeatable: true,
      parse: namedDirectory,
      description:
        'serve several directories: each to those who attach to its NAME, and to nobody else; in place of --root',
    },
    readOnly: { description: 'refuse every change with EROFS' },
    uidMap: {
      value: 'HOST:CLIENT',
      repeatable: true,
      parse: (text) => idPair(text),
      description: 'show user HOST to clients as user CLIENT, and the other way round',
    },
    gidMap: {
      value: 'HOST:CLIENT',
      repeatable: true,
      parse: (text) => idPair(text),
      description: 'the same for groups',
    },
    squash: {
      value: 'UID:GID',
      parse: (text) => idPair(text, 'UID:GID, as in 1000:1000'),
      description:
        'take every user of the clients for this user and group of the host, whoever they say they are',
    },
    actAsUser: {
      description:
        'as root: do for each user of the clients what that user of the host may do, and no more, and nothing for others; with ' +
        '--squash, for all what that one may',
    },
    ignoreCase: {
      description: 'find names whatever the case of their ASCII letters; slow in large directories',
    },
    acceptCid: {
      value: 'CID',
      repeatable: true,
      parse: wholeNumber({ min: 1, max: 0xfffffffe }),
      description: 'on vsock, the guest that may connect; required there, others are dropped and logged',
    },
    socketGid: {
      value: 'GID',
      parse: id,
      description: 'give the Unix socket to this group, with mode 0660; without it its mode is 0600',
    },
    msize: {
      value: 'BYTES',
      parse: wholeNumber({ min: 4096, max: 1 << 26 }),
      default: '1048576',
      description: 'the largest message; clients may ask for less',
    },
    maxConnections: {
      value: 'N',
      parse: wholeNumber({ min: 1, max: 1024 }),
      default: '64',
      description: 'how many clients at once; further ones are turned away',
    },
    threads: {
      value: 'N',
      parse: wholeNumber({ min: 1, max: 64 }),
      default: '8',
      description: 'how many clients get a thread of their own; further ones share as many threads again',
    },
    deviceNodes: {
      description: 'let clients make device nodes, which on this machine are doors to its devices',
    },
    sandbox: {
      value: 'MODE',
      choices: ['auto', 'require', 'off'],
      default: 'auto',
      description:
        'keep 9s itself to the directory, by Landlock and seccomp: auto as far as the kernel can, require ends with 78 when it ' +
        'cannot, off not at all',
    },
    insecureListen: { description: 'allow TCP beyond loopback, though nothing is encrypted or asked for' },
  },
  operands: {
    listen: {
      optional: true,
      parse: addressFor('listen'),
      description: 'where to listen; without it, on the sockets that the service manager passes',
      forms: [
        [
          'vsock:PORT',
          'port PORT of CID 2, for the guests of --accept-cid: on AF_VSOCK and in the directories of VMs',
        ],
        ['unix:/PATH', 'a Unix socket, which is made, and removed at the end'],
        ['unix-abstract:NAME', 'a Unix socket without a file: everyone on this machine can connect'],
        ['unix-fd:N', 'an inherited descriptor: a stream socket that listens'],
        ['tcp:HOST:PORT', 'TCP, as in tcp:127.0.0.1:564 and tcp:[::1]:564'],
      ],
      beginnings: ['vsock:', 'unix:', 'unix-abstract:', 'unix-fd:', 'tcp:'],
    },
  },
  environment: serviceEnvironment,
  examples: [
    ['9s --root /srv/projects unix:/run/projects.9p', 'serve a directory on a Unix socket'],
    [
      'mount -t 9p -o trans=unix,version=9p2000.L,msize=1048576 /run/projects.9p /mnt',
      'mount it on the same machine',
    ],
    [
      '9s --export projects=/srv/projects --export docs=/usr/share/doc unix:/run/both.9p',
      'serve two directories; mount -o aname=docs,... says which',
    ],
    [
      '9s --root /srv --read-only --uid-map 1000:0 unix:/run/srv.9p',
      'show the files of user 1000 as those of root, and let nobody change them',
    ],
  ],
});

function idPair(text: string, remedy = 'HOST:CLIENT, as in 1000:0'): IdPair {
  const [first, second, more] = text.split(':');
  if (first === undefined || second === undefined || more !== undefined) {
    throw new InvalidValue(`${JSON.stringify(text)} is not a pair`, { remedy });
  }
  return [id(first), id(second)];
}

function namedDirectory(text: string): NamedDirectory {
  const at = text.indexOf('=');
  const [name, path] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || path === '') {
    throw new InvalidValue(`${JSON.stringify(text)} is not a name and a directory`, {
      remedy: 'NAME=DIR, as in projects=/srv/projects',
    });
  }
  return [name, path];
}
