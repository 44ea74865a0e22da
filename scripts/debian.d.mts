export declare const debian: Readonly<Record<'native' | 'guest' | 'bench' | 'nightly', readonly string[]>>;
