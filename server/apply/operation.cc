#include "server/apply/operation.h"

#include <etcdserverpb/raft_internal.pb.h>
#include <vector>

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

namespace etcd::apply {
namespace {

using etcdserverpb::InternalRaftRequest;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string Quoted(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += '\\';
      for (const int shift : {6, 3, 0}) out += static_cast<char>('0' + ((byte >> shift) & 7));
    } else {
      out += c;
    }
  }
  return '"' + out + '"';
}

// Values of keys, and everything of auth requests, are never logged.
bool IsSecret(const FieldDescriptor& field) {
  const std::string& name = field.name();
  return name == "value" || name == "password" || name == "hashedPassword" ||
         name == "simple_token";
}

void Print(const Message& message, std::string& out);

// `index` -1: not repeated.
void PrintField(const Message& message, const FieldDescriptor& field, int index, std::string& out) {
  const auto* reflection = message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    out += field.name() + ":<";
    Print(index < 0 ? reflection->GetMessage(message, &field)
                    : reflection->GetRepeatedMessage(message, &field, index),
          out);
    out += "> ";
    return;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    const std::string& text =
        index < 0 ? reflection->GetStringReference(message, &field, &scratch)
                  : reflection->GetRepeatedStringReference(message, &field, index, &scratch);
    out += IsSecret(field) ? field.name() + "_size:" + std::to_string(text.size())
                           : field.name() + ":" + Quoted(text);
    out += ' ';
    return;
  }
  std::string text;
  google::protobuf::TextFormat::PrintFieldValueToString(message, &field, index, &text);
  out += field.name() + ":" + text + " ";
}

void Print(const Message& message, std::string& out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  // The envelope's header comes first, as in etcd's lines, although its number is the highest.
  for (const bool header : {true, false}) {
    for (const FieldDescriptor* field : fields) {
      if ((field->name() == "header") != header) continue;
      if (!field->is_repeated()) {
        PrintField(message, *field, -1, out);
        continue;
      }
      const int count = message.GetReflection()->FieldSize(message, field);
      for (int i = 0; i < count; ++i) PrintField(message, *field, i, out);
    }
  }
}

bool IsAuth(const InternalRaftRequest& r) {
  return r.has_auth_enable() || r.has_auth_disable() || r.has_auth_status() ||
         r.has_authenticate() || r.has_auth_user_add() || r.has_auth_user_delete() ||
         r.has_auth_user_get() || r.has_auth_user_change_password() ||
         r.has_auth_user_grant_role() || r.has_auth_user_revoke_role() || r.has_auth_user_list() ||
         r.has_auth_role_list() || r.has_auth_role_add() || r.has_auth_role_delete() ||
         r.has_auth_role_get() || r.has_auth_role_grant_permission() ||
         r.has_auth_role_revoke_permission();
}

}  // namespace

Operation OperationOf(const InternalRaftRequest& r) {
  if (r.has_put()) return Operation::kPut;
  if (r.has_txn()) return Operation::kTxn;
  if (r.has_delete_range()) return Operation::kDeleteRange;
  if (r.has_compaction()) return Operation::kCompaction;
  if (r.has_lease_grant()) return Operation::kLeaseGrant;
  if (r.has_lease_revoke()) return Operation::kLeaseRevoke;
  if (r.has_lease_checkpoint()) return Operation::kLeaseCheckpoint;
  if (r.has_alarm()) return Operation::kAlarm;
  if (r.has_cluster_version_set()) return Operation::kClusterVersionSet;
  if (r.has_cluster_member_attr_set()) return Operation::kClusterMemberAttrSet;
  if (r.has_downgrade_info_set()) return Operation::kDowngradeInfoSet;
  return IsAuth(r) ? Operation::kAuth : Operation::kUnknown;
}

std::string DescribeRange(const RangeQuery& q) {
  etcdserverpb::RangeRequest request;
  request.set_key(std::string(q.key));
  request.set_range_end(std::string(q.range_end));
  request.set_limit(q.limit);
  request.set_revision(q.revision);
  request.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(q.sort_order));
  request.set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(q.sort_target));
  request.set_keys_only(q.keys_only);
  request.set_count_only(q.count_only);
  request.set_min_mod_revision(q.min_mod_revision);
  request.set_max_mod_revision(q.max_mod_revision);
  request.set_min_create_revision(q.min_create_revision);
  request.set_max_create_revision(q.max_create_revision);
  std::string out;
  Print(request, out);
  return out;
}

std::string DescribeEntry(std::string_view entry) {
  InternalRaftRequest request;
  if (!request.ParseFromArray(entry.data(), static_cast<int>(entry.size()))) return "";
  std::string out;
  Print(request, out);
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace etcd::apply
