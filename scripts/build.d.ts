/**
 * Builds `dist/` of every workspace that has a `build` script, or of those named, two or more at a time. One whose sources,
 * dependencies and build tools are those of its last build is left alone. Rejects, when all have ended, with what those
 * that failed printed.
 */
export declare function build(names?: readonly string[]): Promise<{
  built: string[];
  unchanged: string[];
}>;
//# sourceMappingURL=build.d.ts.map
