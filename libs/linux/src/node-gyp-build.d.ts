declare module 'node-gyp-build' {
  /** Loads `build/Release/*.node` of a package's folder, else the fitting file of `prebuilds/`; throws if none. */
  function load(packageFolder: string): unknown;
  export = load;
}
