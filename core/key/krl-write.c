/* PROTOCOL.krl, writing. Serial numbers go into lists, ranges and bitmaps, whichever mixture is shortest. */
#include "base/auto.h"
#include "base/memory.h"
#include "key/krl-private.h"

/* OpenSSH writes longer bitmaps, but cannot read them: its mpints end there. */
#define BITMAP_BITS_MAX 16384
#define LIST_RUN_MAX 8 /* serials; a longer run is shorter as a range */

/* How a run is written; JOINED: in the bitmap that the run before it is in. */
typedef enum Form { LIST, RANGE, BITMAP, JOINED, FORM_COUNT } Form;

#define SECTION_BITS (8 + 32) /* its type and its length */
#define IMPOSSIBLE (UINT64_MAX / 2)

typedef struct Step {
    uint8_t before[FORM_COUNT]; /* the form of the run before, if this one has the form; [0]: chosen */
} Step;

static Form cheapest(const uint64_t cost[FORM_COUNT])
{
    Form best = LIST;
    for (Form form = RANGE; form < FORM_COUNT; form++)
        if (cost[form] < cost[best])
            best = form;
    return best;
}

/* What the runs so far cost in bits at least, if the last of them has a form. A bitmap may go on, so that it
 * costs less than it would alone; where it started is kept beside its cost. */
typedef struct Costs {
    uint64_t bits[FORM_COUNT];
    uint64_t start[FORM_COUNT]; /* of BITMAP and JOINED */
} Costs;

static void add_cost(Costs *costs, const LyKrlRun *run, uint64_t last, Step *step)
{
    Costs next = {0};
    uint64_t len = run->highest - run->lowest; /* one less, so that it fits */
    Form best = cheapest(costs->bits);
    uint64_t list = costs->bits[LIST], other = costs->bits[best] + SECTION_BITS;
    for (Form form = LIST; form < FORM_COUNT; form++)
        step->before[form] = (uint8_t)best;
    if (list <= other)
        step->before[LIST] = LIST;
    next.bits[LIST] = len < LIST_RUN_MAX ? LY_MIN(list, other) + 64 * (len + 1) : IMPOSSIBLE;
    next.bits[RANGE] = other + 2 * 64;
    next.bits[BITMAP] = len < BITMAP_BITS_MAX ? other + 64 + 32 + 8 + len : IMPOSSIBLE;
    next.start[BITMAP] = run->lowest;
    next.bits[JOINED] = IMPOSSIBLE;
    static const Form joinable[] = {BITMAP, JOINED};
    for (size_t i = 0; i < LY_COUNT(joinable); i++) {
        Form from = joinable[i];
        uint64_t bits = costs->bits[from] + (run->highest - last);
        if (costs->bits[from] < IMPOSSIBLE && run->highest - costs->start[from] < BITMAP_BITS_MAX &&
            bits < next.bits[JOINED]) {
            next.bits[JOINED] = bits;
            next.start[JOINED] = costs->start[from];
            step->before[JOINED] = (uint8_t)from;
        }
    }
    *costs = next;
}

/* The forms of all runs, in [0] of each step. */
static void choose_forms(const LyKrlRuns *runs, Step *steps)
{
    Costs costs = {.bits = {IMPOSSIBLE, 0, IMPOSSIBLE, IMPOSSIBLE}}; /* nothing is open before the first */
    for (size_t i = 0; i < runs->count; i++)
        add_cost(&costs, &runs->item[i], i ? runs->item[i - 1].highest : 0, &steps[i]);
    Form form = cheapest(costs.bits);
    for (size_t i = runs->count; i-- > 0;) {
        Form before = (Form)steps[i].before[form];
        steps[i].before[0] = (uint8_t)form;
        form = before;
    }
}

static size_t put_list(const LyKrlRuns *runs, const Step *steps, size_t i, LyBuf *out)
{
    ly_put_u8(out, KRL_SECTION_CERT_SERIAL_LIST);
    size_t mark = ly_put_string_begin(out);
    for (; i < runs->count && steps[i].before[0] == LIST; i++)
        for (uint64_t k = 0; k <= runs->item[i].highest - runs->item[i].lowest; k++)
            ly_put_u64(out, runs->item[i].lowest + k);
    ly_put_string_end(out, mark);
    return i;
}

static size_t put_range(const LyKrlRuns *runs, size_t i, LyBuf *out)
{
    ly_put_u8(out, KRL_SECTION_CERT_SERIAL_RANGE);
    ly_put_u32(out, 2 * 8);
    ly_put_u64(out, runs->item[i].lowest);
    ly_put_u64(out, runs->item[i].highest);
    return i + 1;
}

static size_t put_bitmap(const LyKrlRuns *runs, const Step *steps, size_t i, LyBuf *out)
{
    uint8_t bitmap[BITMAP_BITS_MAX / 8] = {0};
    uint64_t start = runs->item[i].lowest;
    do {
        for (uint64_t bit = runs->item[i].lowest - start; bit <= runs->item[i].highest - start; bit++)
            bitmap[sizeof bitmap - 1 - bit / 8] |= (uint8_t)(1 << bit % 8);
        i++;
    } while (i < runs->count && steps[i].before[0] == JOINED);
    ly_put_u8(out, KRL_SECTION_CERT_SERIAL_BITMAP);
    size_t mark = ly_put_string_begin(out);
    ly_put_u64(out, start);
    ly_put_mpint(out, ly_bytes(bitmap, sizeof bitmap));
    ly_put_string_end(out, mark);
    return i;
}

static void put_serials(const LyKrlRuns *runs, LyBuf *out)
{
    if (runs->count == 0)
        return;
    LY_AUTO_FREE Step *steps = ly_new_array(Step, runs->count);
    choose_forms(runs, steps);
    for (size_t i = 0; i < runs->count;) {
        if (steps[i].before[0] == LIST)
            i = put_list(runs, steps, i, out);
        else if (steps[i].before[0] == RANGE)
            i = put_range(runs, i, out);
        else
            i = put_bitmap(runs, steps, i, out);
    }
}

/* A section of strings; none when there are none. */
static void put_set(const LyKrlSet *set, uint8_t type, LyBuf *out)
{
    if (set->count == 0)
        return;
    ly_put_u8(out, type);
    size_t mark = ly_put_string_begin(out);
    for (size_t i = 0; i < set->count; i++)
        ly_put_string(out, set->item[i]);
    ly_put_string_end(out, mark);
}

void ly_krl_write(LyKrl *krl, uint64_t now_seconds, LyBuf *out)
{
    krl->generated = now_seconds;
    ly_buf_add(out, ly_bytes(LY_KRL_MAGIC, LY_KRL_MAGIC_LEN));
    ly_put_u32(out, LY_KRL_FORMAT);
    ly_put_u64(out, krl->version);
    ly_put_u64(out, krl->generated);
    ly_put_u64(out, krl->flags);
    ly_put_string(out, (LyBytes){0});
    ly_put_string(out, krl->comment);
    for (size_t i = 0; i < krl->authority_count; i++) {
        const LyKrlAuthority *authority = krl->authorities[i];
        ly_put_u8(out, KRL_SECTION_CERTIFICATES);
        size_t mark = ly_put_string_begin(out);
        ly_put_string(out, authority->blob);
        ly_put_string(out, (LyBytes){0});
        put_serials(&authority->serials, out);
        put_set(&authority->ids, KRL_SECTION_CERT_KEY_ID, out);
        ly_put_string_end(out, mark);
    }
    put_set(&krl->keys, KRL_SECTION_EXPLICIT_KEY, out);
    put_set(&krl->sha1, KRL_SECTION_FINGERPRINT_SHA1, out);
    put_set(&krl->sha256, KRL_SECTION_FINGERPRINT_SHA256, out);
}
