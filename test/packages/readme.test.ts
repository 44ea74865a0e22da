import { expect, test } from 'vitest';
import { installsOf, programsOf } from './readme.ts';

const readme = `# x

\`\`\`sh
npm install @vm-tools/x -D left-pad
\`\`\`

\`\`\`ts
print(1);
\`\`\`

\`\`\`text
1
\`\`\`

Words.

\`\`\`ts guest vsock vsock_loopback
print(2);
\`\`\`

More words.

\`\`\`text
not its output
\`\`\`
`;

test('a README has programs, each with the output that follows it', () => {
  expect(programsOf(readme)).toEqual([
    { line: 8, source: 'print(1);\n', kind: 'run', modules: [], output: '1\n' },
    {
      line: 18,
      source: 'print(2);\n',
      kind: 'guest',
      modules: ['vsock', 'vsock_loopback'],
      output: undefined,
    },
  ]);
});

test('a program of no known kind is refused, for nothing would prove it', () => {
  expect(() => programsOf('```ts nocheck\n1\n```\n')).toThrow(/README.md:2: .*ts guest/);
});

test('a README says what to install', () => {
  expect(installsOf(readme)).toEqual(['@vm-tools/x', 'left-pad']);
});

test('a program that is only type-checked says so', () => {
  expect(programsOf('```ts types\n1\n```\n')).toMatchObject([{ kind: 'types', modules: [] }]);
});
