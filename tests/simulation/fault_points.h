#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tests/support/sim_disk.h"

namespace etcd::simulation {

// Named steps of a member on its way to durable state, at which a fault can end it: each is about
// to happen, except where the name says otherwise. Deaths at a drawn number of changes hit the rare
// ones too seldom.
std::span<const std::string_view> FaultPoints();

// The point of an operation on the member's disk; "": none.
std::string_view FaultPointOf(testing::DiskOp op, std::string_view path);

// Of its engine.
inline constexpr std::string_view kEngineWrite = "engine write";
inline constexpr std::string_view kEngineWritten = "engine written";
inline constexpr std::string_view kEngineFlush = "engine flush";
inline constexpr std::string_view kEngineFlushed = "engine flushed";
inline constexpr std::string_view kEngineReplacement = "engine replacement";
inline constexpr std::string_view kEngineReplaced = "engine replaced";

}  // namespace etcd::simulation
