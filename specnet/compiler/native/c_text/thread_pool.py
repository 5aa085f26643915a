"""A pool of threads for large matrix products: work is divided into parts, which several threads compute.

The caller publishes a job and computes parts of it too; each free thread takes the next part. So the caller never waits
for a thread that has not begun, and a forked process, which has no other threads, computes all parts itself. Long jobs
have more parts than there are threads, since other programs may delay a thread. The result of each part does not depend
on the thread.

The number of a job and its next part are one atomic number. It changes before the data of the job change, and again
after them: a late thread with the number of an old job takes no part.

The threads belong to the process: a separate library starts them and is never closed. Others call its function.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from specnet.compiler.native.toolchain.libraries import LoadedLibrary, library
from specnet.compiler.thread_limits import available_threads

_WORK = "typedef void work(const void *arguments, long part, long parts);"
SHARING_TEXT = f"""
{_WORK}
static void alone(work *function, const void *arguments, long parts_of_a_thread)
{{
  (void)parts_of_a_thread;
  function(arguments, 0, 1);
}}
static void (*in_parts)(work *function, const void *arguments, long parts_of_a_thread) = alone;
void set_pool(void (*function)(work *, const void *, long)) {{ in_parts = function; }}
"""
"""C code for a library that shares work; the caller works alone until `set_pool` is called with the pool's function."""
_POOL_TEXT = (
    _WORK
    + """
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

enum { SPINS = 20000, MAX_THREADS = 64 };
#define NO_PART 0xffffffffu
typedef struct {
  pthread_mutex_t busy, lock;
  pthread_cond_t wake;
  _Atomic(uint64_t) state;  /* number of the job, and its next part in the lower half */
  atomic_long done, sleeping;
  _Atomic(work *) function;
  _Atomic(const void *) arguments;
  atomic_long parts, limit;
  long started;  /* threads beside the caller's */
} Pool;
#define NEW_POOL {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER}
static Pool first = NEW_POOL, *pool = &first;

void set_threads(long count) { if (pool) pool->limit = count < MAX_THREADS ? count : MAX_THREADS; }

/* Do parts of a job as long as there are some. */
static void do_parts(uint64_t job)
{
  for (;;) {
    uint64_t state = pool->state;
    work *const function = pool->function;
    const void *const arguments = pool->arguments;
    const long parts = pool->parts;
    if (state >> 32 != job || (state & NO_PART) >= (uint64_t)parts) return;
    if (!atomic_compare_exchange_strong(&pool->state, &state, state + 1)) continue;
    function(arguments, (long)(state & NO_PART), parts);
    pool->done++;
  }
}

/* Threads beyond the present limit do no parts. */
static void *help(void *number)
{
  uint64_t seen = 0;
  for (;;) {
    uint64_t job = pool->state >> 32;
    for (long spin = 0; job == seen && spin < SPINS; spin++) job = pool->state >> 32;
    if (job == seen) {
      pthread_mutex_lock(&pool->lock);
      pool->sleeping++;
      while ((job = pool->state >> 32) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
      pool->sleeping--;
      pthread_mutex_unlock(&pool->lock);
    }
    if ((intptr_t)number < pool->limit - 1) do_parts(job);
    seen = job;
  }
  return number;
}

/* A new process has no thread but the one that forked it. What others had locked stays locked, and may be neither
   unlocked nor initialised: the process gets mutexes of its own. Hardly anything may be called here; mmap may. */
static void forget_threads(void)
{
  const Pool none = NEW_POOL;
  Pool *const made = mmap(0, sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pool = made == MAP_FAILED ? 0 : made;
  if (pool) *pool = none;
}

/* The new threads block signals, which are for the others. */
static void start_threads(long count)
{
  static int is_prepared;
  sigset_t all, before;
  pthread_attr_t apart;
  if (pool->started >= count) return;
  if (!is_prepared && pthread_atfork(0, 0, forget_threads)) return;
  is_prepared = 1;
  sigfillset(&all);
  pthread_attr_init(&apart);
  pthread_attr_setdetachstate(&apart, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (pthread_t thread; pool->started < count; pool->started++)
    if (pthread_create(&thread, &apart, help, (void *)(intptr_t)pool->started)) break;
  pthread_sigmask(SIG_SETMASK, &before, 0);
  pthread_attr_destroy(&apart);
}

void in_parts(work *function, const void *arguments, long parts_of_a_thread)
{
  const long threads = pool ? pool->limit : 1, parts = threads * parts_of_a_thread;
  if (threads < 2 || pthread_mutex_trylock(&pool->busy)) {  /* another caller's work goes on */
    function(arguments, 0, 1);
    return;
  }
  start_threads(threads - 1);
  const uint64_t job = (pool->state >> 32) + 1;
  pool->state = job << 32 | NO_PART;
  pool->function = function;
  pool->arguments = arguments;
  pool->parts = parts;
  pool->done = 0;
  pool->state = (job + 1) << 32;
  if (pool->sleeping) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
  }
  do_parts(job + 1);
  for (long spin = 0; pool->done < parts; spin++)
    if (spin > SPINS) sched_yield();
  pthread_mutex_unlock(&pool->busy);
}
"""
)


def before_calls(made: LoadedLibrary) -> Callable[[], None]:
    """Connect a library with `SHARING_TEXT` to the pool, and return a function to call before the library's functions.

    The returned function sets the pool's number of threads to the number of available threads.

    Raises
    ------
    BuildError
        If the library of the pool cannot be compiled or loaded.
    """
    pool = _pool()
    made.function("set_pool", ctypes.c_void_p)(ctypes.cast(pool["in_parts"], ctypes.c_void_p))
    set_threads = pool.function("set_threads", ctypes.c_long)
    return lambda: set_threads(available_threads())


@cache
def _pool() -> LoadedLibrary:
    return library(_POOL_TEXT, ("in_parts", "set_threads"))
