import { library } from '../../scripts/tsup.ts';

export default library({
  entry: [
    'src/index.ts',
    'src/host/index.ts',
    'src/host/core2minidump.ts',
    'src/host/minidump-inspect.ts',
    'src/synth/index.ts',
  ],
});
