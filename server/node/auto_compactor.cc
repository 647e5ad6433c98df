#include "server/node/auto_compactor.h"

#include <algorithm>

namespace etcd::node {
namespace {

constexpr int kSamplesPerInterval = 10;
constexpr std::chrono::minutes kRevisionInterval(5);

std::chrono::nanoseconds IntervalOf(const MemberOptions& options) {
  if (options.auto_compaction == AutoCompaction::kRevision) return kRevisionInterval;
  return std::min<std::chrono::nanoseconds>(options.compaction_period, std::chrono::hours(1));
}

AutoCompaction ModeOf(const MemberOptions& options) {
  const bool is_zero = options.auto_compaction == AutoCompaction::kPeriodic
                           ? options.compaction_period.count() <= 0
                           : options.compaction_retention <= 0;
  return is_zero ? AutoCompaction::kOff : options.auto_compaction;
}

}  // namespace

AutoCompactor::AutoCompactor(const MemberOptions& options, base::Clock::Monotonic start)
    : mode_(ModeOf(options)),
      period_(options.compaction_period),
      interval_(IntervalOf(options)),
      retention_(options.compaction_retention),
      next_sample_(start),
      next_compaction_(start + (mode_ == AutoCompaction::kPeriodic ? period_ : interval_)) {}

std::optional<Revision> AutoCompactor::Poll(base::Clock::Monotonic now, Revision current,
                                            bool is_leader) {
  switch (mode_) {
    case AutoCompaction::kOff:
      return std::nullopt;
    case AutoCompaction::kPeriodic:
      return PollPeriodic(now, current, is_leader);
    case AutoCompaction::kRevision:
      return PollRevision(now, current, is_leader);
  }
  return std::nullopt;
}

std::optional<Revision> AutoCompactor::PollPeriodic(base::Clock::Monotonic now, Revision current,
                                                    bool is_leader) {
  if (now < next_sample_) return std::nullopt;
  const auto sample_interval = interval_ / kSamplesPerInterval;
  next_sample_ = now + sample_interval;
  samples_.push_back(current);
  const auto keep = static_cast<std::size_t>(period_ / sample_interval) + 1;
  while (samples_.size() > keep) samples_.pop_front();
  if (now < next_compaction_ || running_ || !is_leader) return std::nullopt;
  const Revision target = samples_.front();
  if (target == last_) return std::nullopt;
  running_ = true;
  return target;
}

std::optional<Revision> AutoCompactor::PollRevision(base::Clock::Monotonic now, Revision current,
                                                    bool is_leader) {
  if (now < next_compaction_ || running_ || !is_leader) return std::nullopt;
  next_compaction_ = now + interval_;
  const Revision target = current - retention_;
  if (target <= Revision(0) || target == last_) return std::nullopt;
  running_ = true;
  return target;
}

void AutoCompactor::OnDone(Revision revision, bool ok, base::Clock::Monotonic now) {
  running_ = false;
  if (!ok) return;
  last_ = revision;
  next_compaction_ = now + interval_;
}

}  // namespace etcd::node
