import { expect, test } from 'vitest';
import { parseSample } from './load.ts';

const line =
  '{"label":"","workload":"readseq","qd":16,"conns":1,"msize":65560,"size":65536,"seconds":0.300,"ops":5787,"ops_per_s":19286.7,' +
  '"MB_per_s":1262.7,"msgs_per_op":1.00,"p50_us":50.2,"p99_us":84.0,"verified":1022,"client_cpu_us_per_op":9.29,' +
  '"server_cpu_us_per_op":17.28,"server_user_us":1.73,"server_sys_us":15.55,"server_cpu_share":0.33,"server_rss_kb":5228,' +
  '"server_hwm_kb":5300,"server_threads":35}';

test('what the load generator prints becomes a sample', () => {
  expect(parseSample(`${line}\n`)).toEqual({
    msize: 65_560,
    size: 65_536,
    operations: 5787,
    operationsPerSecond: 19_286.7,
    megabytesPerSecond: 1262.7,
    p50: 50.2,
    p99: 84,
    cpu: 17.28,
    user: 1.73,
    system: 15.55,
    rss: 5228,
    highWater: 5300,
    threads: 35,
  });
});

test('a second line holds the quantiles', () => {
  expect(parseSample(`${line}\n{"quantiles":{"0.5":8,"0.99":12.5}}\n`).quantiles).toEqual({
    '0.5': 8,
    '0.99': 12.5,
  });
});

test('a figure that is missing is an error that names it', () => {
  expect(() => parseSample(line.replace('server_cpu_us_per_op', 'x'))).toThrow(/"server_cpu_us_per_op"/);
  expect(() => parseSample(line.replace('17.28', '"17"'))).toThrow(/"server_cpu_us_per_op"/);
});

test('what is not JSON is an error', () => {
  expect(() => parseSample('')).toThrow(SyntaxError);
});
