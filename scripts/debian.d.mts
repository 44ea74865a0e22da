export declare const debian: Readonly<
  Record<'native' | 'guest' | 'judges' | 'bench' | 'nightly', readonly string[]>
>;
