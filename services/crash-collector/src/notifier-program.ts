import { addressFor, defineProgram, ExitCode, packageVersion } from '@vm-tools/daemon';
import { hostOption } from './program.ts';

/** Command line, help text, man page and completion of guest_service_failure_notifier. */
export const notifierProgram = defineProgram({
  name: 'guest_service_failure_notifier',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: 'tell the host that a service of this VM has failed',
  description: [
    'It ends with 0 whether or not the host could be told, and with 1 when the command line is wrong.',
  ],
  options: { host: { ...hostOption, parse: addressFor('connect') } },
  operands: { service: { description: 'the name of the service' } },
  exitCodes: [ExitCode.ok],
  examples: [['guest_service_failure_notifier lxd', 'say that lxd has failed']],
});
