/* replay SECONDS FOLDER...: runs every file of the folders through the target it is linked with; then, file
 * by file and as long as the seconds last, each file cut at every length and with every bit of its start
 * flipped. For compilers without libFuzzer, and for the test suite. */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CUTS = 512, FLIPPED = 128, FILES_MAX = 4096, SLOW_MS = 4000, STUCK_SECONDS = 60 };

typedef struct Input {
    char *path;
    uint8_t *data;
    size_t len;
} Input;

static Input inputs[FILES_MAX];
static size_t input_count;
static unsigned long runs;
static char current[4200]; /* what is being run, for the report of a crash */

/* The sanitizers call this before they end the program. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say_current(void)
{
    fprintf(stderr, "replay: while running %s\n", current);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void run(const uint8_t *data, size_t len)
{
    LyBytes copy = fuzz_copy(ly_bytes(data, len));
    uint64_t start = now_ms();
    alarm(STUCK_SECONDS);
    LLVMFuzzerTestOneInput(copy.data, copy.len);
    alarm(0);
    fuzz_free(copy);
    runs++;
    if (now_ms() - start > SLOW_MS) {
        fprintf(stderr, "replay: slow: %s\n", current);
        exit(1);
    }
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    Input *input = &inputs[input_count++];
    input->path = ly_strdup(path);
    input->data = ly_alloc(1 << 20);
    input->len = fread(input->data, 1, 1 << 20, file);
    fclose(file);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const Input *)a)->path, ((const Input *)b)->path);
}

static void read_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        perror(folder);
        exit(1);
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) && input_count < FILES_MAX) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            read_file(path);
    }
    closedir(dir);
    qsort(inputs, input_count, sizeof *inputs, by_path);
}

static void cut_and_flip(const Input *input, uint64_t until_ms)
{
    for (size_t len = 0; len < LY_MIN(input->len, (size_t)CUTS) && now_ms() < until_ms; len++) {
        snprintf(current, sizeof current, "%s cut to %zu bytes", input->path, len);
        run(input->data, len);
    }
    for (size_t bit = 0; bit < 8 * LY_MIN(input->len, (size_t)FLIPPED) && now_ms() < until_ms; bit++) {
        snprintf(current, sizeof current, "%s with bit %zu of byte %zu flipped", input->path, bit % 8,
                 bit / 8);
        input->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        run(input->data, input->len);
        input->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s SECONDS FOLDER...\n", argv[0]);
        return 2;
    }
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_current);
    for (int i = 2; i < argc; i++)
        read_folder(argv[i]);
    if (input_count == 0) {
        fprintf(stderr, "replay: the corpus is empty\n");
        return 1;
    }
    for (size_t i = 0; i < input_count; i++) {
        snprintf(current, sizeof current, "%s", inputs[i].path);
        run(inputs[i].data, inputs[i].len);
    }
    /* What a quick file leaves of its share goes to those behind it. */
    uint64_t end_ms = now_ms() + (uint64_t)(atof(argv[1]) * 1000);
    for (size_t i = 0; i < input_count; i++) {
        uint64_t now = now_ms(), left = end_ms > now ? end_ms - now : 0;
        cut_and_flip(&inputs[i], now + left / (input_count - i));
    }
    for (size_t i = 0; i < input_count; i++) {
        ly_free(inputs[i].path);
        ly_free(inputs[i].data);
    }
    printf("%zu files, %lu runs\n", input_count, runs);
    return 0;
}
