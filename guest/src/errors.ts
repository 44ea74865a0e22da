export type GuestErrorCode =
  | 'ERR_GUEST_BOOT'
  | 'ERR_GUEST_ENDED'
  | 'ERR_GUEST_TIMEOUT'
  | 'ERR_GUEST_START'
  | 'ERR_GUEST_STATUS';

/** What went wrong in or with a guest; the message ends with the last lines of its console. */
export class GuestError extends Error {
  override readonly name = 'GuestError';
  readonly code: GuestErrorCode;

  constructor(
    code: GuestErrorCode,
    message: string,
    options: ErrorOptions & { readonly console?: string } = {},
  ) {
    const tail = options.console?.trimEnd();
    super(tail ? `${message}\nIts console ends with:\n${tail.replace(/^/gm, '  ')}` : message, options);
    this.code = code;
  }
}
