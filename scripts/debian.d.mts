export declare const debian: Readonly<Record<'native' | 'guest' | 'nightly', readonly string[]>>;
