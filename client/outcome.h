#pragma once

#include <cstdint>

#include <absl/status/status.h>

namespace etcd::client {

// What is known of the effect of a call that failed. A caller that changes things must look at the
// state again before it repeats a call with kUnknown: the change may have happened, may happen in
// a moment, or never.
enum class Outcome : std::uint8_t {
  kNotApplied,  // no effect: refused by the server, never sent, or a call that changes nothing
  kUnknown,     // sent, and no answer, or one that leaves it open (a timeout, a lost leader)
};

// kNotApplied for statuses that are not of a Client's call (an OK one too).
Outcome OutcomeOf(const absl::Status& status);

// True when the failed call was never on a connection: the server cannot have seen it. Asking
// another endpoint, or the same one later, is always right.
bool WasNeverSent(const absl::Status& status);

}  // namespace etcd::client
