"""What the child may still ask of the kernel, by name, with the numbers of two processors.

Source: ``asm/unistd_64.h`` (x86-64) and ``asm-generic/unistd.h`` (AArch64) of Linux; ``-`` where a
processor does not have the call. Chosen on what decoding, numpy and ONNX Runtime ask for under
strace, and what glibc may ask for in their place.
"""

from typing import Final

_PROCESSORS: Final = ("x86_64", "aarch64")

_PLAIN: Final = """
access 21 -
arch_prctl 158 -
brk 12 214
clock_getres 229 114
clock_gettime 228 113
clock_nanosleep 230 115
close 3 57
close_range 436 436
dup 32 23
dup2 33 -
dup3 292 24
epoll_create1 291 20
epoll_ctl 233 21
epoll_pwait 281 22
epoll_wait 232 -
eventfd2 290 19
exit 60 93
exit_group 231 94
faccessat 269 48
faccessat2 439 439
fadvise64 221 223
fcntl 72 25
fstat 5 80
fstatfs 138 44
futex 202 98
futex_waitv 449 449
get_robust_list 274 100
getcpu 309 168
getcwd 79 17
getdents64 217 61
getegid 108 177
geteuid 107 175
getgid 104 176
getpgid 121 155
getpgrp 111 -
getpid 39 172
getppid 110 173
getrandom 318 278
getresgid 120 150
getresuid 118 148
getrlimit 97 163
getrusage 98 165
getsockopt 55 209
getsockname 51 204
getpeername 52 205
gettid 186 178
gettimeofday 96 169
getuid 102 174
lseek 8 62
lstat 6 -
madvise 28 233
membarrier 324 283
mincore 27 232
mlock 149 228
mmap 9 222
mprotect 10 226
mremap 25 216
munlock 150 229
munmap 11 215
nanosleep 35 101
newfstatat 262 79
pipe2 293 59
poll 7 -
ppoll 271 73
pread64 17 67
preadv 295 69
pselect6 270 72
read 0 63
readlink 89 -
readlinkat 267 78
readv 19 65
recvfrom 45 207
recvmsg 47 212
restart_syscall 219 128
rseq 334 293
rt_sigaction 13 134
rt_sigprocmask 14 135
rt_sigreturn 15 139
rt_sigtimedwait 128 137
sched_get_priority_max 146 125
sched_get_priority_min 147 126
sched_getaffinity 204 123
sched_getparam 143 121
sched_getscheduler 145 120
sched_setaffinity 203 122
sched_yield 24 124
select 23 -
sendmsg 46 211
sendto 44 206
set_robust_list 273 99
set_tid_address 218 96
shutdown 48 210
sigaltstack 131 132
stat 4 -
statfs 137 43
statx 332 291
sysinfo 99 179
time 201 -
times 100 153
uname 63 160
write 1 64
writev 20 66
"""
"""Allowed whatever the arguments: memory, time, threads, and what is open already."""

_WATCHED: Final = """
clone 56 220
ioctl 16 29
kill 62 129
open 2 -
openat 257 56
prctl 157 167
prlimit64 302 261
tgkill 234 131
"""
"""Allowed with some arguments only, see ``seccomp``."""

_NETWORK: Final = """
accept4 288 242
bind 49 200
connect 42 203
listen 50 201
recvmmsg 299 243
sendmmsg 307 269
setsockopt 54 208
socket 41 198
"""
"""Allowed only where a model is asked over the network."""


def plain(processor: str, *, network: bool) -> list[int]:
    """Return the numbers of the calls that are allowed whatever their arguments."""
    return sorted(_numbers(_PLAIN + (_NETWORK if network else ""), processor).values())


def watched(processor: str) -> dict[str, int]:
    """Return the numbers of the calls whose arguments decide, by name."""
    return _numbers(_WATCHED, processor)


def names(processor: str) -> dict[str, int]:
    """Return all numbers of the tables, by name."""
    return _numbers(_PLAIN + _WATCHED + _NETWORK, processor)


def _numbers(table: str, processor: str) -> dict[str, int]:
    column = 1 + _PROCESSORS.index(processor)
    rows = [line.split() for line in table.split("\n") if line]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
