#include "server/raftcodec/walpb.h"

#include "server/base/crc32c.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/wire.h"

namespace etcd::raftcodec {
namespace {

absl::Status Malformed(std::string_view name) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, "malformed " + std::string(name));
}

}  // namespace

// walpb.Record: 08 type | 10 crc | 1a data (absent when there is none)
absl::Status DecodeRecord(std::string_view bytes, RecordView& out) {
  out = RecordView();
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.type = in.Varint();
        break;
      case 2:
        out.crc = static_cast<std::uint32_t>(in.Varint());
        break;
      case 3:
        out.data = in.Bytes();
        break;
      default:
        in.Skip();
    }
  }
  return in.ok() ? absl::OkStatus() : Malformed("walpb.Record");
}

// walpb.Snapshot: 08 index | 10 term | 1a conf_state (when set)
std::size_t EncodedSize(const WalSnapshot& snapshot) {
  std::size_t size =
      VarintFieldSize(snapshot.index.value()) + VarintFieldSize(snapshot.term.value());
  if (snapshot.conf_state) size += BytesFieldSize(EncodedSize(*snapshot.conf_state));
  return size;
}

void AppendTo(std::string& out, const WalSnapshot& snapshot) {
  SmallWriter<33> head;
  head.Varint(0x08, snapshot.index.value());
  head.Varint(0x10, snapshot.term.value());
  if (snapshot.conf_state) head.Varint(0x1a, EncodedSize(*snapshot.conf_state));
  out.append(head.view());
  if (snapshot.conf_state) AppendTo(out, *snapshot.conf_state);
}

absl::StatusOr<WalSnapshot> DecodeWalSnapshot(std::string_view bytes) {
  WalSnapshot out;
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.index = Index(in.Varint());
        break;
      case 2:
        out.term = Term(in.Varint());
        break;
      case 3: {
        const std::string_view conf_state = in.Bytes();
        if (!in.ok()) break;
        ASSIGN_OR_RETURN(out.conf_state, DecodeConfState(conf_state));
        break;
      }
      default:
        in.Skip();
    }
  }
  if (!in.ok()) return Malformed("walpb.Snapshot");
  return out;
}

// .snap: 08 crc | 12 data
std::string EncodeSnapFile(const raft::Snapshot& snapshot) {
  const std::string data = Encode(snapshot);
  SmallWriter<22> head;
  head.Varint(0x08, base::UpdateCrc32c(0, data));
  head.Varint(0x12, data.size());
  std::string out;
  out.reserve(head.view().size() + data.size());
  out.append(head.view());
  out.append(data);
  return out;
}

absl::StatusOr<raft::Snapshot> DecodeSnapFile(std::string_view bytes) {
  if (bytes.empty()) return base::DataLoss("snap: empty snapshot");
  FieldReader in(bytes);
  std::uint64_t crc = 0;
  std::string_view data;
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        crc = in.Varint();
        break;
      case 2:
        data = in.Bytes();
        break;
      default:
        in.Skip();
    }
  }
  if (!in.ok()) return base::DataLoss("snap: malformed snapshot file");
  if (data.empty() || static_cast<std::uint32_t>(crc) == 0) {
    return base::DataLoss("snap: empty snapshot");
  }
  if (base::UpdateCrc32c(0, data) != static_cast<std::uint32_t>(crc)) {
    return base::DataLoss("snap: crc mismatch");
  }
  auto snapshot = DecodeSnapshot(data);
  if (!snapshot.ok()) return base::DataLoss(base::MessageOf(snapshot.status()));
  return snapshot;
}

// etcdserverpb.Metadata: 08 NodeID | 10 ClusterID
std::string EncodeWalMetadata(const WalMetadata& metadata) {
  SmallWriter<22> fields;
  fields.Varint(0x08, metadata.node_id.value());
  fields.Varint(0x10, metadata.cluster_id.value());
  return std::string(fields.view());
}

absl::StatusOr<WalMetadata> DecodeWalMetadata(std::string_view bytes) {
  WalMetadata out;
  FieldReader in(bytes);
  while (in.Next()) {
    switch (in.field()) {
      case 1:
        out.node_id = MemberId(in.Varint());
        break;
      case 2:
        out.cluster_id = ClusterId(in.Varint());
        break;
      default:
        in.Skip();
    }
  }
  if (!in.ok()) return Malformed("etcdserverpb.Metadata");
  return out;
}

}  // namespace etcd::raftcodec
