import { DevLogServer, FileSink, logFileFormat, RotatingFile } from '@vm-tools/syslog';

// What is measured beside rsyslogd and syslog-ng: `/dev/log` to one file, until SIGTERM.
const [socket = '', file = ''] = process.argv.slice(2);
const sink = new FileSink(new RotatingFile(file, { maxBytes: 2 ** 40 }), {
  format: logFileFormat({ hostname: 'host' }),
});
const server = new DevLogServer({ sink });
await server.listen(socket);
process.on('SIGTERM', async () => {
  await server.close();
  await sink.close();
});
