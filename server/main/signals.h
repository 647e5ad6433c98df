#pragma once

namespace etcd::server {

// From now on SIGINT and SIGTERM are noted instead of ending the process at once. Call when the
// server is ready: before, they kill, as in etcd. The other two belong to the very start.
void IgnoreBrokenPipes();
void OpenStopEvent();
void CatchStopSignals();

// This member has been removed from its cluster: a reason to stop like a signal. Any thread.
void NoteRemoval();

// Blocks until there is a reason to stop; the number of the signal, or 0 for a removal.
int WaitForStop();

// Ends the process as the signal would have: status 128+n for a shell. Process 1, whose default
// action the kernel withholds, exits with 0.
[[noreturn]] void EndBySignal(int signal);

}  // namespace etcd::server
