export interface MissingPackageFacts {
  /** What cannot be used without it. */
  readonly needing: string;
  readonly packageName: string;
  /** Of the module that looked for it. */
  readonly url: string;
}

/** A package that is needed and need not be installed is not there. */
export class MissingPackageError extends Error {
  override readonly name = 'MissingPackageError';
  readonly code = 'ERR_MISSING_PACKAGE';
  readonly packageName: string;

  constructor({ needing, packageName, url }: MissingPackageFacts, options?: ErrorOptions) {
    super(
      `${needing} needs ${packageName}, which cannot be found from ${url}; npm install ${packageName}, without --omit=optional`,
      options,
    );
    this.packageName = packageName;
  }
}
