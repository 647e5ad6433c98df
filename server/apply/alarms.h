#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "server/base/ids.h"
#include "server/base/mutex.h"
#include "server/storage/engine/kv_engine.h"

namespace etcd::apply {

// Types with a meaning; clients may raise any number.
inline constexpr std::int32_t kAlarmNone = 0;
inline constexpr std::int32_t kAlarmNoSpace = 1;
inline constexpr std::int32_t kAlarmCorrupt = 2;

struct Alarm {
  MemberId member;
  std::int32_t type = kAlarmNone;

  auto operator<=>(const Alarm&) const = default;
};

// The replicated set of raised alarms (bucket `alarm`: key = encoded AlarmMember, value empty).
// Changed on the apply thread into the open batch; others read what was published.
class AlarmStore {
 public:
  // DataLoss for undecodable records.
  absl::Status Load(const engine::KvEngine& engine);

  // Idempotent. Activating kAlarmNone does nothing.
  void Activate(Alarm alarm, engine::WriteBatch& batch);
  // False when this pair was not raised.
  bool Deactivate(Alarm alarm, engine::WriteBatch& batch);

  // Apply thread; the open batch included.
  bool IsRaised(std::int32_t type) const;
  const std::set<Alarm>& current() const { return current_; }

  void Publish();
  // Thread-safe; ascending by member, never null.
  std::shared_ptr<const std::set<Alarm>> view() const;

 private:
  std::set<Alarm> current_;
  bool dirty_ = false;
  mutable base::Mutex mu_;
  std::shared_ptr<const std::set<Alarm>> published_ ABSL_GUARDED_BY(mu_) =
      std::make_shared<const std::set<Alarm>>();
};

// etcdserverpb.AlarmMember {1 memberID, 2 alarm}.
std::string EncodeAlarm(Alarm alarm);

}  // namespace etcd::apply
