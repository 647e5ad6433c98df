#pragma once

#include <chrono>

#include "operator/loop/facts.h"
#include "operator/loop/memory.h"

namespace etcd::loop {

// How long the next member waits after one could not be brought in.
inline constexpr std::chrono::minutes kBackOff{5};

// What depends on how long something has been so: fills it in, for the plan.
void Measure(const base::Clock& clock, Facts& facts, Memory& memory);

}  // namespace etcd::loop
