#pragma once

namespace etcd::server {

// From now on SIGINT and SIGTERM are noted instead of ending the process at once. Call when the
// server is ready: before, they kill, as in etcd. SIGPIPE is to be ignored from the start.
void IgnoreBrokenPipes();
void CatchStopSignals();

// Blocks until one has arrived; returns its number.
int WaitForStopSignal();

// Ends the process as the signal would have: status 128+n for a shell. Process 1, whose default
// action the kernel withholds, exits with 0.
[[noreturn]] void EndBySignal(int signal);

}  // namespace etcd::server
