import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Converter, OptionDefaults } from 'typedoc';
import { publishedWorkspaces, repository } from './scripts/workspaces.ts';

/** What users import, by the source file behind it: `libs/p9-protocol/src/host/index.ts` -> `@vm-tools/p9-protocol/host`. */
const doors = new Map(
  publishedWorkspaces().flatMap(({ folder, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => {
      const source = target['@vm-tools/source'];
      if (!folder.startsWith('libs/') || !source || !existsSync(join(repository, folder, source))) return [];
      return [[join(repository, folder, source), manifest.name + subpath.slice(1)]];
    }),
  ),
);

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'vm-tools',
  entryPoints: [...doors.keys()],
  tsconfig: 'tsconfig.docs.json',
  out: 'docs/api',
  excludePrivate: true,
  excludeInternal: true,
  includeVersion: false,
  disableGit: true,
  basePath: '.',
  gitRevision: 'main',
  sourceLinkTemplate: 'https://github.com/vm-tools/vm-tools/blob/{gitRevision}/{path}#L{line}',
  // What protoc-gen-es writes: the line of the .proto file.
  blockTags: [...OptionDefaults.blockTags, '@generated'],
  // In what classes inherit from Node.js.
  externalSymbolLinkMappings: {
    '@types/node': {
      'EventEmitter.defaultMaxListeners': 'https://nodejs.org/api/events.html#eventsdefaultmaxlisteners',
    },
  },
  treatWarningsAsErrors: true,
  plugin: [
    (app) => {
      app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
        for (const module of project.children ?? []) {
          const name = doors.get(module.sources?.[0]?.fullFileName);
          if (name) module.name = name;
        }
      });
    },
  ],
};
