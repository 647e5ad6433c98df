#include "tests/support/alter_value.h"

#include <string>

#include "server/apply/kv_view.h"

namespace etcd::testing {

absl::Status AlterValue(engine::KvEngine& engine, std::string_view key) {
  std::string record_key;
  std::string record;
  for (const auto it = engine.Scan(engine::Family::kKey, "", ""); it->Valid(); it->Next()) {
    apply::KeyValueView view;
    if (!apply::ParseKeyValue(it->value(), view) || view.key != key || view.value.empty()) continue;
    record_key = it->key();
    record = it->value();
    record[static_cast<std::size_t>(view.value.data() - it->value().data())] ^= 1;
  }
  if (record.empty()) return absl::NotFoundError("no value to alter");
  engine::WriteBatch batch;
  batch.Put(engine::Family::kKey, record_key, record);
  return engine.Write(batch);
}

}  // namespace etcd::testing
