#include "server/main/signals.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/base/check.h"

namespace etcd::server {
namespace {

// A signal handler has nothing but globals to reach: the descriptor that wakes the main thread.
int g_stop_event = -1;
// What a removal adds to the descriptor's count; no sum of signals comes near it.
constexpr std::uint64_t kRemoval = 1 << 20;

extern "C" void NoteSignal(int signal) {
  const int saved = errno;
  const auto value = static_cast<std::uint64_t>(signal);
  // write is async-signal-safe; a second signal while the first is handled changes nothing.
  [[maybe_unused]] const ssize_t written = write(g_stop_event, &value, sizeof value);
  errno = saved;
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  CHECK(sigaction(signal, &action, nullptr) == 0);
}

}  // namespace

void IgnoreBrokenPipes() {
  Handle(SIGPIPE, SIG_IGN);
  Handle(SIGUSR1, SIG_IGN);  // as in etcd
}

void OpenStopEvent() {
  g_stop_event = eventfd(0, EFD_CLOEXEC);
  CHECK(g_stop_event >= 0);
}

void CatchStopSignals() {
  Handle(SIGINT, NoteSignal);
  Handle(SIGTERM, NoteSignal);
}

void NoteRemoval() {
  const std::uint64_t value = kRemoval;
  CHECK(write(g_stop_event, &value, sizeof value) == sizeof value);
}

int WaitForStop() {
  std::uint64_t value = 0;
  while (read(g_stop_event, &value, sizeof value) != sizeof value) CHECK(errno == EINTR);
  if (value >= kRemoval) return 0;
  // Two signals before the read add up; then it was SIGTERM as likely as not.
  return value == SIGINT ? SIGINT : SIGTERM;
}

void EndBySignal(int signal) {
  if (getpid() == 1) std::_Exit(0);
  Handle(signal, SIG_DFL);
  raise(signal);
  std::_Exit(128 + signal);  // not reached unless the signal is blocked
}

}  // namespace etcd::server
