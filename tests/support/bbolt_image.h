#pragma once

#include <map>
#include <string>

#include "server/base/check.h"
#include "server/bbolt/reader.h"
#include "server/bbolt/writer.h"

namespace etcd::testing {

using Buckets = std::map<std::string, std::map<std::string, std::string>>;

// The whole file with these buckets; counts first and checks that both passes agree.
inline std::string BboltImage(const Buckets& buckets) {
  std::string out;
  const auto fill = [&](bbolt::FileWriter writer, bool counting) {
    for (const auto& [name, entries] : buckets) {
      writer.BeginBucket(name);
      for (const auto& [key, value] : entries) {
        counting ? writer.Count(key, value.size()) : writer.Add(key, value);
      }
      writer.EndBucket();
    }
    return writer.Finish();
  };
  const bbolt::FileShape planned = fill(bbolt::FileWriter(nullptr), true);
  out = bbolt::MetaPages(planned);
  const bbolt::FileShape shape = fill(bbolt::FileWriter(&out), false);
  CHECK(shape == planned && out.size() == shape.bytes()) << "the plan was wrong";
  return out;
}

// What the file at `path` holds.
inline absl::StatusOr<Buckets> ReadBbolt(base::FileSystem& file_system, const std::string& path) {
  ASSIGN_OR_RETURN(const auto reader, bbolt::Reader::Open(file_system, path));
  Buckets out;
  for (const bbolt::Bucket& bucket : reader->buckets()) {
    auto& entries = out[bucket.name];
    ASSIGN_OR_RETURN(const auto cursor, reader->Scan(bucket));
    while (cursor->Valid()) {
      entries.emplace(cursor->key(), cursor->value());
      RETURN_IF_ERROR(cursor->Next());
    }
  }
  return out;
}

}  // namespace etcd::testing
