/** How grave a message is (RFC 5424 section 6.2.1, `LOG_*` of syslog.h). */
export const Severity = {
  emergency: 0,
  alert: 1,
  critical: 2,
  error: 3,
  warning: 4,
  notice: 5,
  informational: 6,
  debug: 7,
} as const;

/** What part of a system a message is of (RFC 5424 section 6.2.1, `LOG_*` of syslog.h, without the shift). */
export const Facility = {
  kernel: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  printer: 6,
  news: 7,
  uucp: 8,
  clock: 9,
  authPrivate: 10,
  ftp: 11,
  ntp: 12,
  audit: 13,
  alert: 14,
  cron: 15,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;
