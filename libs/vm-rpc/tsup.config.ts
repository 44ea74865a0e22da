import { globSync } from 'node:fs';
import { library } from '../../scripts/tsup.ts';

export default library({
  entry: ['src/index.ts', ...globSync('src/gen/*_pb.ts'), 'src/gen/grpc/health/v1/health_pb.ts'],
});
