import { library } from '../../scripts/tsup.ts';

export default library({
  entry: ['src/index.ts', 'src/conformance/index.ts', 'src/host/index.ts', 'src/host/connection-thread.ts'],
});
