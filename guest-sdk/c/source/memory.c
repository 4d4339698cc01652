/* The arena: every allocation of the kit and of the host, put one behind another and given back all at once.
 *
 * An instance serves one call, so nothing is freed within it but what stands between a mark and its release. */

typedef struct chunk {
    struct chunk *previous, *next;
    char *end;
} chunk;

static chunk *current;
static char *top;

/* Memory is asked for in steps that grow, so that a small call stays small and a large one asks seldom. */
#define PAGE ((size_t)65536)
#define STEP_MIN (4 * PAGE)
#define STEP_MAX (64 * PAGE)

_Noreturn static void out_of_memory(void) {
    /* Nothing can be said here: the host may be in the middle of handing something over. */
    __builtin_trap();
}

#ifdef __wasm__
/* Asks for at least `size` bytes; sets `size` to what it got. Not from malloc, which may be in use beside it. */
static char *more_memory(size_t *size) {
    size_t pages = (*size + PAGE - 1) / PAGE;
    size_t old = __builtin_wasm_memory_grow(0, pages);
    if (old == SIZE_MAX) return NULL;
    *size = pages * PAGE;
    return (char *)(old * PAGE);
}
#else
static char *more_memory(size_t *size) {
    return malloc(*size);
}
#endif

static char *aligned(char *at, size_t align) {
    return (char *)(((uintptr_t)at + align - 1) & ~(uintptr_t)(align - 1));
}

/* Makes room for `size` bytes at `top`. */
static void next_chunk(size_t size) {
    static size_t step = STEP_MIN;
    size += sizeof(chunk) + 16;
    /* A chunk that a release has left behind. */
    if (current && current->next && (size_t)(current->next->end - (char *)current->next) >= size) {
        current = current->next;
        top = (char *)(current + 1);
        return;
    }
    size_t got = size > step ? size : step;
    char *start = more_memory(&got);
    if (!start) {
        got = size;
        start = more_memory(&got);
    }
    if (!start) out_of_memory();
    if (step < STEP_MAX) step *= 2;
#ifdef __wasm__
    /* Mostly memory grows right behind the chunk, which then only ends later. */
    if (current && !current->next && start == current->end) {
        current->end += got;
        return;
    }
#endif
    chunk *fresh = (chunk *)start;
    fresh->previous = current;
    fresh->next = current ? current->next : NULL;
    fresh->end = start + got;
    if (fresh->next) fresh->next->previous = fresh;
    if (current) current->next = fresh;
    current = fresh;
    top = (char *)(current + 1);
}

static void *allocate(size_t size, size_t align) {
    char *at = aligned(top, align);
    if (!current || at > current->end || size > (size_t)(current->end - at)) {
        if (size > SIZE_MAX / 2) out_of_memory();
        next_chunk(size);
        at = aligned(top, align);
    }
    top = at + size;
    return at;
}

/* Gives a block another size; in place if it is the last one. */
static void *reallocate(void *old, size_t old_size, size_t size, size_t align) {
    if (old && (char *)old + old_size == top && size <= (size_t)(current->end - (char *)old)) {
        top = (char *)old + size;
        return old;
    }
    void *new = allocate(size, align);
    if (old_size) memcpy(new, old, old_size < size ? old_size : size);
    return new;
}

void *polyfold_alloc(size_t size) {
    /* Memory that a release gave back is not zero any more. */
    return memset(allocate(size, 8), 0, size);
}

polyfold_place polyfold_mark(void) {
    if (!current) next_chunk(0);
    return (polyfold_place){current, top};
}

void polyfold_release(polyfold_place place) {
    current = place.chunk;
    top = place.top;
}

/* The scan whose page the host is handing over: it has a piece of memory of its own. What does not fit goes to the
 * arena, and is counted. */
static polyfold_scan *page_owner;

#ifdef __wasm__
static void *allocate_in_page(size_t size, size_t align) {
    polyfold_scan *scan = page_owner;
    size_t at = (scan->wanted + align - 1) & ~(align - 1);
    scan->wanted = at + size;
    return scan->wanted <= scan->capacity ? scan->buffer + at : allocate(size, align);
}

/* How the host gets memory for what it hands over. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    if (page_owner && !old_size) return allocate_in_page(size, align);
    return reallocate(old, old_size, size, align);
}
#endif
