// Storing and listing. The rest of S3Store is in s3.cc.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "operator/store/digest.h"
#include "operator/store/s3.h"
#include "operator/store/xml.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::store {
namespace {

constexpr int kPartsMax = 10'000;
constexpr std::size_t kPageBytesMax = 8 << 20;
constexpr char kOwnerName[] = "x-amz-meta-backup-uid";

HttpBody RangeOf(const base::File& file, std::uint64_t begin, std::uint64_t size) {
  return {.size = size, .read = [&file, begin](std::uint64_t offset, char* out, std::size_t count) {
            ASSIGN_OR_RETURN(const std::string piece, file.ReadAt(begin + offset, count));
            if (piece.size() != count) return base::DataLoss("the file became shorter");
            std::copy(piece.begin(), piece.end(), out);
            return absl::OkStatus();
          }};
}

absl::Status BadAnswer(const std::string& what) {
  return Failure(absl::StatusCode::kDataLoss, "BadAnswer", what);
}

std::string EtagOf(const HttpReply& reply) {
  const auto etag = reply.headers.find("etag");
  return etag == reply.headers.end() ? "" : etag->second;
}

// Some stores answer with the quotes and some without.
std::string_view Unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    return etag.substr(1, etag.size() - 2);
  }
  return etag;
}

std::string EscapedForXml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

absl::StatusOr<ObjectInfo> S3Store::PutFile(const std::string& key, const LocalFile& local,
                                            const std::string& owner) {
  ASSIGN_OR_RETURN(const auto file, files_.Open(local.path, base::OpenMode::kRead));
  const bool is_single = local.size <= options_.single_put_max;
  ASSIGN_OR_RETURN(const std::string etag, is_single ? PutSingle(key, *file, local, owner)
                                                     : PutParts(key, *file, local, owner));
  ASSIGN_OR_RETURN(std::optional<ObjectInfo> stored, Head(key));
  if (!stored || stored->size != local.size || Unquoted(stored->etag) != Unquoted(etag)) {
    return BadAnswer(fmt::format(
        "{} is not what was stored: {} bytes with ETag {} were sent, the store has {}", UriOf(key),
        local.size, etag,
        stored ? fmt::format("{} bytes with {}", stored->size, stored->etag) : "nothing"));
  }
  return *std::move(stored);
}

absl::StatusOr<std::string> S3Store::PutSingle(const std::string& key, const base::File& file,
                                               const LocalFile& local, const std::string& owner) {
  const HttpBody body = RangeOf(file, 0, local.size);
  ASSIGN_OR_RETURN(const HttpReply reply, Call({.method = "PUT",
                                                .key = key,
                                                .headers = {{kOwnerName, owner}},
                                                .body = &body,
                                                .body_sha256 = local.sha256}));
  return EtagOf(reply);
}

absl::StatusOr<std::string> S3Store::PutParts(const std::string& key, const base::File& file,
                                              const LocalFile& local, const std::string& owner) {
  const HttpBody nothing = BodyOf("");
  ASSIGN_OR_RETURN(const HttpReply reply, Call({.method = "POST",
                                                .key = key,
                                                .query = {{"uploads", ""}},
                                                .headers = {{kOwnerName, owner}},
                                                .body = &nothing}));
  const auto document = ParseXml(reply.body);
  const std::string upload(document.ok() ? document->TextOf("UploadId") : "");
  if (upload.empty()) {
    return BadAnswer(fmt::format("{} does not begin an upload of {}", Where(), UriOf(key)));
  }
  auto etag = [&]() -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const std::vector<Part> parts, SendParts(key, upload, file, local.size));
    return CompleteParts(key, upload, parts);
  }();
  if (!etag.ok()) {
    const absl::Status aborted =
        Call({.method = "DELETE", .key = key, .query = {{"uploadId", upload}}}).status();
    if (!aborted.ok() && !absl::IsNotFound(aborted)) {
      LOG_WARN("parts of a broken upload are left in the bucket; a lifecycle rule removes them",
               {"object", UriOf(key)}, {"error", base::MessageOf(aborted)});
    }
  }
  return etag;
}

absl::StatusOr<std::vector<S3Store::Part>> S3Store::SendParts(const std::string& key,
                                                              const std::string& upload,
                                                              const base::File& file,
                                                              std::uint64_t size) {
  std::uint64_t part_bytes = options_.part_bytes;
  while (part_bytes * kPartsMax < size) part_bytes *= 2;
  std::vector<Part> parts;
  for (std::uint64_t begin = 0; begin < size; begin += part_bytes) {
    const std::uint64_t bytes = std::min(part_bytes, size - begin);
    const HttpBody body = RangeOf(file, begin, bytes);
    const int number = static_cast<int>(parts.size()) + 1;
    ASSIGN_OR_RETURN(std::string sha256, Sha256OfRange(file, begin, bytes));
    ASSIGN_OR_RETURN(const HttpReply reply,
                     Call({.method = "PUT",
                           .key = key,
                           .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
                           .body = &body,
                           .body_sha256 = std::move(sha256)}));
    parts.push_back({number, EtagOf(reply)});
    if (parts.back().etag.empty()) {
      return BadAnswer(fmt::format("{} gives part {} of {} no ETag", Where(), number, UriOf(key)));
    }
  }
  return parts;
}

absl::StatusOr<std::string> S3Store::CompleteParts(const std::string& key,
                                                   const std::string& upload,
                                                   const std::vector<Part>& parts) {
  std::string text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const Part& part : parts) {
    text += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part.number,
                        EscapedForXml(part.etag));
  }
  text += "</CompleteMultipartUpload>";
  const HttpBody body = BodyOf(text);
  ASSIGN_OR_RETURN(const HttpReply reply, Call({.method = "POST",
                                                .key = key,
                                                .query = {{"uploadId", upload}},
                                                .headers = {{"content-type", "application/xml"}},
                                                .body = &body,
                                                .body_sha256 = Sha256Hex(text)}));
  // Also 200 may be an error here: the head is sent before the work is done.
  const auto document = ParseXml(reply.body);
  if (!document.ok() || document->name != "CompleteMultipartUploadResult") {
    const bool is_error = document.ok() && document->name == "Error";
    return BadAnswer(fmt::format(
        "{} did not put the parts of {} together ({})", Where(), UriOf(key),
        is_error ? fmt::format("{}: {}", document->TextOf("Code"), document->TextOf("Message"))
                 : "its answer is not understood"));
  }
  return std::string(document->TextOf("ETag"));
}

// ---- Listing.

struct S3Store::Page {
  std::vector<ObjectInfo> objects;
  std::string next;  // empty: the last page
};

absl::StatusOr<S3Store::Page> S3Store::ListPage(const std::string& prefix,
                                                const std::string& token) {
  Query query = {{"list-type", "2"}, {"prefix", prefix}, {"max-keys", "1000"}};
  if (!token.empty()) query.emplace_back("continuation-token", token);
  ASSIGN_OR_RETURN(
      const HttpReply reply,
      Call({.method = "GET", .query = std::move(query), .answer_bytes_max = kPageBytesMax}));
  const auto document = ParseXml(reply.body);
  if (!document.ok() || document->name != "ListBucketResult") {
    return BadAnswer(fmt::format("the list of {} is not understood", UriOf(prefix)));
  }
  Page page;
  for (const XmlNode& node : document->children) {
    if (node.name != "Contents") continue;
    ObjectInfo info{.key = std::string(node.TextOf("Key")),
                    .etag = std::string(node.TextOf("ETag"))};
    if (!info.key.starts_with(prefix) || !ParseSize(node.TextOf("Size"), info.size)) {
      return BadAnswer(fmt::format("the list of {} has wrong entries", UriOf(prefix)));
    }
    page.objects.push_back(std::move(info));
  }
  if (document->TextOf("IsTruncated") == "true") {
    page.next = document->TextOf("NextContinuationToken");
    if (page.next.empty() || page.next == token || page.objects.empty()) {
      return BadAnswer(fmt::format("the list of {} does not go on", UriOf(prefix)));
    }
  }
  return page;
}

absl::StatusOr<std::vector<ObjectInfo>> S3Store::List(const std::string& prefix) {
  std::vector<ObjectInfo> objects;
  std::string token;
  do {
    ASSIGN_OR_RETURN(Page page, ListPage(prefix, token));
    if (objects.size() + page.objects.size() > kListMax) {
      return Failure(absl::StatusCode::kResourceExhausted, "DestinationRefused",
                     fmt::format("there are more than {} objects under {}; use another prefix",
                                 kListMax, UriOf(prefix)));
    }
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(objects));
    token = std::move(page.next);
  } while (!token.empty());
  std::sort(objects.begin(), objects.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
  return objects;
}

}  // namespace etcd::store
