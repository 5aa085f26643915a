"""Work that is cut into parts, some of which other threads do: what large products gain from further processors.

The caller publishes its work and does parts of it too; whoever is free takes the next part. So nobody is waited for who
has not begun, and a process that was forked, where there are no other threads, does all parts itself. Long work has
more parts than there are threads, since other programs may hold one of them up. Each part's result is the same whoever
does it.

A job's number and its next part are one atomic number. It changes before a job's facts do and again when they are
there: a thread that comes late with the number of an old job takes nothing.

The threads are the process's: a library of their own has them, and is never closed. Others get its function.
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
void set_team(void (*function)(work *, const void *, long)) {{ in_parts = function; }}
"""
"""Of a library that shares its work, once it has the team."""
_TEAM_TEXT = (
    _WORK
    + """
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

enum { SPINS = 20000, MOST_THREADS = 64 };
#define NO_PART 0xffffffffu
typedef struct {
  pthread_mutex_t busy, lock;
  pthread_cond_t wake;
  _Atomic(uint64_t) state;  /* number of the job, and its next part in the lower half */
  atomic_long done, sleeping;
  _Atomic(work *) function;
  _Atomic(const void *) arguments;
  atomic_long parts, wanted;
  long started;  /* threads beside the caller's */
} Team;
#define NEW_TEAM {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER}
static Team first = NEW_TEAM, *team = &first;

void set_threads(long count) { if (team) team->wanted = count < MOST_THREADS ? count : MOST_THREADS; }

/* Do parts of a job as long as there are some. */
static void do_parts(uint64_t job)
{
  for (;;) {
    uint64_t state = team->state;
    work *const function = team->function;
    const void *const arguments = team->arguments;
    const long parts = team->parts;
    if (state >> 32 != job || (state & NO_PART) >= (uint64_t)parts) return;
    if (!atomic_compare_exchange_strong(&team->state, &state, state + 1)) continue;
    function(arguments, (long)(state & NO_PART), parts);
    team->done++;
  }
}

/* The threads that are too many for the limit as it is now only look. */
static void *help(void *number)
{
  uint64_t seen = 0;
  for (;;) {
    uint64_t job = team->state >> 32;
    for (long spin = 0; job == seen && spin < SPINS; spin++) job = team->state >> 32;
    if (job == seen) {
      pthread_mutex_lock(&team->lock);
      team->sleeping++;
      while ((job = team->state >> 32) == seen) pthread_cond_wait(&team->wake, &team->lock);
      team->sleeping--;
      pthread_mutex_unlock(&team->lock);
    }
    if ((intptr_t)number < team->wanted - 1) do_parts(job);
    seen = job;
  }
  return number;
}

/* A new process has no thread but the one that forked it. What others held stays held, and may be neither unlocked nor
   initialised: the process gets mutexes of its own. Hardly anything may be called here; mmap may. */
static void forget_threads(void)
{
  const Team none = NEW_TEAM;
  Team *const made = mmap(0, sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  team = made == MAP_FAILED ? 0 : made;
  if (team) *team = none;
}

/* Signals are for the threads that there were. */
static void start_threads(long count)
{
  static int is_prepared;
  sigset_t all, before;
  pthread_attr_t apart;
  if (team->started >= count) return;
  if (!is_prepared && pthread_atfork(0, 0, forget_threads)) return;
  is_prepared = 1;
  sigfillset(&all);
  pthread_attr_init(&apart);
  pthread_attr_setdetachstate(&apart, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (pthread_t thread; team->started < count; team->started++)
    if (pthread_create(&thread, &apart, help, (void *)(intptr_t)team->started)) break;
  pthread_sigmask(SIG_SETMASK, &before, 0);
  pthread_attr_destroy(&apart);
}

void in_parts(work *function, const void *arguments, long parts_of_a_thread)
{
  const long wanted = team ? team->wanted : 1, parts = wanted * parts_of_a_thread;
  if (wanted < 2 || pthread_mutex_trylock(&team->busy)) {  /* somebody else's work goes on */
    function(arguments, 0, 1);
    return;
  }
  start_threads(wanted - 1);
  const uint64_t job = (team->state >> 32) + 1;
  team->state = job << 32 | NO_PART;
  team->function = function;
  team->arguments = arguments;
  team->parts = parts;
  team->done = 0;
  team->state = (job + 1) << 32;
  if (team->sleeping) {
    pthread_mutex_lock(&team->lock);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
  }
  do_parts(job + 1);
  for (long spin = 0; team->done < parts; spin++)
    if (spin > SPINS) sched_yield();
  pthread_mutex_unlock(&team->busy);
}
"""
)


def before_calls(made: LoadedLibrary) -> Callable[[], None]:
    """Give a library whose text has `SHARING_TEXT` the team, and return what is to be called before each of its calls.

    It tells the team how many threads work may have now.

    Raises
    ------
    BuildError
        If the team's library cannot be made.
    """
    team = _team()
    made.function("set_team", ctypes.c_void_p)(ctypes.cast(team["in_parts"], ctypes.c_void_p))
    set_threads = team.function("set_threads", ctypes.c_long)
    return lambda: set_threads(available_threads())


@cache
def _team() -> LoadedLibrary:
    return library(_TEAM_TEXT, ("in_parts", "set_threads"))
