#include "server/apply/alarms.h"

#include <utility>

#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"

namespace etcd::apply {
namespace {

bool DecodeAlarm(std::string_view bytes, Alarm& out) {
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t value = 0;
    if (!base::ConsumeVarint(bytes, tag) || !base::ConsumeVarint(bytes, value)) return false;
    if (tag == 0x08) {
      out.member = MemberId(value);
    } else if (tag == 0x10) {
      out.type = static_cast<std::int32_t>(value);
    } else {
      return false;
    }
  }
  return true;
}

std::string KeyOf(Alarm alarm) { return engine::MetaKey(engine::kBucketAlarm, EncodeAlarm(alarm)); }

}  // namespace

std::string EncodeAlarm(Alarm alarm) {
  std::string out;
  base::AppendVarintField(out, 1, alarm.member.value());
  // Negative enums are sign-extended to ten bytes.
  base::AppendVarintField(out, 2, static_cast<std::uint64_t>(std::int64_t{alarm.type}));
  return out;
}

absl::Status AlarmStore::Load(const engine::KvEngine& engine) {
  current_.clear();
  const auto it = engine.Scan(engine::Family::kMeta, engine::BucketBegin(engine::kBucketAlarm),
                              engine::BucketEnd(engine::kBucketAlarm));
  for (; it->Valid(); it->Next()) {
    Alarm alarm;
    if (!DecodeAlarm(engine::StripBucket(engine::kBucketAlarm, it->key()), alarm)) {
      return base::DataLoss("a record of the alarm bucket is damaged");
    }
    current_.insert(alarm);
  }
  RETURN_IF_ERROR(it->status());
  dirty_ = true;
  Publish();
  return absl::OkStatus();
}

void AlarmStore::Activate(Alarm alarm, engine::WriteBatch& batch) {
  if (alarm.type == kAlarmNone || !current_.insert(alarm).second) return;
  batch.Put(engine::Family::kMeta, KeyOf(alarm), "");
  dirty_ = true;
}

bool AlarmStore::Deactivate(Alarm alarm, engine::WriteBatch& batch) {
  if (current_.erase(alarm) == 0) return false;
  batch.Delete(engine::Family::kMeta, KeyOf(alarm));
  dirty_ = true;
  return true;
}

bool AlarmStore::IsRaised(std::int32_t type) const {
  for (const Alarm& alarm : current_) {
    if (alarm.type == type) return true;
  }
  return false;
}

void AlarmStore::Publish() {
  if (!dirty_) return;
  dirty_ = false;
  auto next = std::make_shared<const std::set<Alarm>>(current_);
  const base::MutexLock lock(mu_);
  published_ = std::move(next);
}

std::shared_ptr<const std::set<Alarm>> AlarmStore::view() const {
  const base::MutexLock lock(mu_);
  return published_;
}

}  // namespace etcd::apply
