/*
 * Prints the frequency of this CPU's time stamp counter in kHz. QEMU's emulated CPUs show the guest the host's counter, and
 * a guest that must measure it by emulated timers gets it wrong, or fails, when the host is busy.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	uint64_t ticks, nanoseconds;
};

/* Both clocks at one moment: of many tries the one that took the least time. */
static struct moment now(void)
{
	struct moment best = {0};
	uint64_t shortest = UINT64_MAX;
	for (int i = 0; i < 200; i++) {
		struct timespec time;
		uint64_t before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &time);
		uint64_t after = __rdtsc();
		if (after - before < shortest) {
			shortest = after - before;
			best = (struct moment){before + shortest / 2, time.tv_sec * 1000000000ull + time.tv_nsec};
		}
	}
	return best;
}

int main(void)
{
	struct timespec pause = {.tv_nsec = 20000000};
	struct moment start = now();
	nanosleep(&pause, NULL);
	struct moment end = now();
	printf("%.0f\n", (double)(end.ticks - start.ticks) * 1e6 / (double)(end.nanoseconds - start.nanoseconds));
}
