/** A package that is needed and need not be installed is not there. */
export class MissingPackageError extends Error {
  override readonly name = 'MissingPackageError';
  readonly code = 'ERR_MISSING_PACKAGE';
  /** Its name. */
  readonly packageName: string;

  /**
   * @param needing what cannot be used without it
   * @param url of the module that looked for it
   */
  constructor(needing: string, packageName: string, url: string, options?: ErrorOptions) {
    super(
      `${needing} needs ${packageName}, which cannot be found from ${url}; npm install ${packageName}, without --omit=optional`,
      options,
    );
    this.packageName = packageName;
  }
}
