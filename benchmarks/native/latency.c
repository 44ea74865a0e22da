/* p9load, unchanged, with a second line of output: the latencies of the timed window at many quantiles, in microseconds.
 *
 *   {"quantiles":{"0.01":7.9,"0.05":8.1,...}}
 */
#define main p9load_main
#include "p9load.c"
#undef main

int main(int argc, char **argv)
{
    static const char *const quantiles[] = { "0.01", "0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8",
                                             "0.9", "0.95", "0.98", "0.99", "0.995", "0.999", "0.9999" };
    int status = p9load_main(argc, argv);
    if (status != 0 || ops_done == 0) return status;
    printf("{\"quantiles\":{");
    for (unsigned i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        printf("%s\"%s\":%.3f", i ? "," : "", quantiles[i], hist_us(atof(quantiles[i])));
    puts("}}");
    return 0;
}
