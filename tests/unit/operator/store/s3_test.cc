#include "operator/store/s3.h"

#include <atomic>
#include <mutex>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "server/base/status.h"
#include "tests/support/loopback_http.h"
#include "tests/support/temp_dir.h"

namespace etcd::store {
namespace {

using ::testing::HasSubstr;
using Http = etcd::testing::LoopbackHttp;

// A store whose answers the test says.
struct S3Test : ::testing::Test {
  using Answer = std::function<bool(const Http::Request&, Http::Peer&)>;

  std::unique_ptr<S3Store> Make(Answer answer) {
    server = std::make_unique<Http>([this, answer](const auto& request, Http::Peer& peer) {
      {
        const std::lock_guard lock(mu);
        seen.push_back(request.method + " " + request.target);
      }
      return answer(request, peer);
    });
    S3Options options{.endpoint = server->url(),
                      .bucket = "bucket",
                      .keys = {.access_key = "a", .secret_key = "s"},
                      .keys_from = "Secret s3",
                      .single_put_max = 1000,
                      .part_bytes = 400,
                      .stall_seconds = 60};
    return S3Store::Create(std::move(options), clock, base::PosixFileSystem(),
                           [this](auto wait) {
                             waits.push_back(wait);
                             return true;
                           })
        .value();
  }
  LocalFile File(std::size_t size) {
    const std::string text(size, 'x');
    LocalFile local{.path = dir.path() + "/file", .size = size, .sha256 = Sha256Hex(text)};
    const auto file =
        base::PosixFileSystem().Open(local.path, base::OpenMode::kCreateOrTruncate).value();
    EXPECT_TRUE(file->WriteAt(0, text).ok());
    return local;
  }
  static std::string Error(const std::string& code) {
    return "<Error><Code>" + code + "</Code><Message>m</Message></Error>";
  }
  std::size_t Seen(const std::string& part) {
    const std::lock_guard lock(mu);
    return static_cast<std::size_t>(
        std::count_if(seen.begin(), seen.end(),
                      [&](const std::string& one) { return one.find(part) != one.npos; }));
  }
  static void ExpectReason(const absl::Status& status, const std::string& reason,
                           const std::string& part = "") {
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_THAT(std::string(base::MessageOf(status)), HasSubstr(part));
  }

  base::SystemClock clock;
  etcd::testing::TempDir dir;
  std::mutex mu;
  std::vector<std::string> seen;  // guarded by mu
  std::vector<std::chrono::nanoseconds> waits;
  std::unique_ptr<Http> server;
};

TEST_F(S3Test, BusyAnswersAreTriedAgainWithGrowingWaits) {
  std::atomic<int> left = 3;
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    left-- > 0 ? peer.Answer(503, Error("SlowDown")) : peer.Answer(200, "");
    return true;
  });
  EXPECT_TRUE(store->PutText("k", "text").ok());
  using std::chrono::milliseconds;
  EXPECT_EQ(waits, (std::vector<std::chrono::nanoseconds>{milliseconds(500), milliseconds(1000),
                                                          milliseconds(2000)}));
}

TEST_F(S3Test, GivesUpAfterSixTries) {
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    peer.Answer(500, "no XML at all <<<");
    return true;
  });
  ExpectReason(store->PutText("k", "text"), "DestinationUnreachable", "HTTP 500");
  EXPECT_EQ(Seen("PUT"), 6U);
  EXPECT_EQ(waits.size(), 5U);
}

TEST_F(S3Test, ABrokenConnectionIsTriedAgain) {
  std::atomic<int> left = 1;
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    if (left-- > 0) {
      peer.Reset();
      return false;
    }
    peer.Answer(200, "");
    return true;
  });
  EXPECT_TRUE(store->PutText("k", "text").ok());
}

TEST_F(S3Test, FaultsSayWhatToDo) {
  std::string code;
  int http = 0;
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    peer.Answer(http, Error(code), "Date: Fri, 24 May 2013 00:00:00 GMT\r\n");
    return true;
  });
  const auto put = [&](int number, const std::string& text) {
    http = number;
    code = text;
    return store->PutText("k", "text");
  };
  ExpectReason(put(403, "InvalidAccessKeyId"), "CredentialsRefused", "Secret s3");
  ExpectReason(put(403, "SignatureDoesNotMatch"), "CredentialsRefused", "AWS_SECRET_ACCESS_KEY");
  ExpectReason(put(403, "AccessDenied"), "CredentialsRefused", "grant ListBucket");
  ExpectReason(put(404, "NoSuchBucket"), "BucketMissing", "create it");
  ExpectReason(put(403, "RequestTimeTooSkewed"), "ClockSkew", "24 May 2013");
  ExpectReason(put(400, "EntityTooLarge"), "DestinationRefused", "EntityTooLarge");
  EXPECT_TRUE(waits.empty()) << "none of them goes away by itself";
}

TEST_F(S3Test, AnotherRegionIsFollowedOnce) {
  const auto store = Make([&](const auto& request, Http::Peer& peer) {
    if (request.head.find("/eu-1/s3/") != std::string::npos) {
      peer.Answer(200, "");
    } else {
      peer.Answer(301, Error("PermanentRedirect"), "x-amz-bucket-region: eu-1\r\n");
    }
    return true;
  });
  EXPECT_TRUE(store->PutText("k", "text").ok());
  EXPECT_TRUE(store->PutText("k", "text").ok());
  EXPECT_EQ(Seen("PUT"), 3U) << "the region is remembered";
}

TEST_F(S3Test, ARedirectWithoutEndIsNotFollowed) {
  std::atomic<int> number = 0;
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    peer.Answer(301, "", fmt::format("x-amz-bucket-region: r{}\r\n", ++number));
    return true;
  });
  EXPECT_FALSE(store->PutText("k", "text").ok());
  EXPECT_EQ(Seen("PUT"), 2U);
}

TEST_F(S3Test, AHeadThatIsForbiddenIsNoAbsence) {
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    peer.Write("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\n");
    return true;
  });
  ExpectReason(store->Head("k").status(), "CredentialsRefused");
}

TEST_F(S3Test, AReadGoesOnWhereItBroke) {
  const std::string text(100'000, 'y');
  std::atomic<int> gets = 0;
  const auto store = Make([&](const Http::Request& request, Http::Peer& peer) {
    const std::string head = "Content-Length: 100000\r\nETag: \"e\"\r\n\r\n";
    if (request.method == "HEAD") {
      peer.Write("HTTP/1.1 200 OK\r\n" + head);
      return true;
    }
    if (gets++ == 0) {
      peer.Write("HTTP/1.1 200 OK\r\n" + head + text.substr(0, 40'000));
      return false;
    }
    EXPECT_THAT(request.head, HasSubstr("range: bytes=40000-"));
    EXPECT_THAT(request.head, HasSubstr("if-match: \"e\""));
    peer.Write(
        "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Length: 60000\r\n"
        "Content-Range: bytes 40000-99999/100000\r\n\r\n" +
        text.substr(40'000));
    return true;
  });
  std::string got;
  const absl::Status status = store->Get("k", [&](std::string_view bytes) {
    got += bytes;
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(got, text);
}

struct HostileAnswer {
  const char* name;
  const char* first;   // of the GET; the HEAD says 10 bytes with ETag "e"
  const char* second;  // of the GET of the rest
};

class S3Hostile : public S3Test, public ::testing::WithParamInterface<HostileAnswer> {};

TEST_P(S3Hostile, NothingWrongComesThrough) {
  std::atomic<int> gets = 0;
  const auto store = Make([&](const Http::Request& request, Http::Peer& peer) {
    if (request.method == "HEAD") {
      peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n");
      return true;
    }
    peer.Write(gets++ == 0 ? GetParam().first : GetParam().second);
    return false;
  });
  std::string got;
  const absl::Status status = store->Get("k", [&](std::string_view bytes) {
    got += bytes;
    return absl::OkStatus();
  });
  EXPECT_FALSE(status.ok()) << GetParam().name;
  EXPECT_LE(got.size(), 10U);
  EXPECT_TRUE(std::string("0123456789").starts_with(got)) << got;
}

INSTANTIATE_TEST_SUITE_P(
    Answers, S3Hostile,
    ::testing::Values(
        HostileAnswer{"always cut short",
                      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n01234", ""},
        HostileAnswer{"another object",
                      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"f\"\r\n\r\n9876543210", ""},
        HostileAnswer{"longer than said",
                      "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: \"e\"\r\n\r\n0123456789ab",
                      ""},
        HostileAnswer{"the beginning again",
                      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n01234",
                      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n0123456789"},
        HostileAnswer{"another range",
                      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n01234",
                      "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\nETag: \"e\"\r\n"
                      "Content-Range: bytes 0-4/10\r\n\r\n01234"},
        HostileAnswer{"changed meanwhile",
                      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n01234",
                      "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"},
        HostileAnswer{"no HTTP", "garbage\r\n\r\n", "garbage"}));

TEST_F(S3Test, AnUploadThatTheStoreHasOtherwiseIsRefused) {
  const auto store = Make([&](const Http::Request& request, Http::Peer& peer) {
    peer.Write(request.method == "HEAD"
                   ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"other\"\r\n\r\n"
                   : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"mine\"\r\n\r\n");
    return true;
  });
  ExpectReason(store->PutFile("k", File(10), "uid").status(), "BadAnswer",
               "is not what was stored");
}

// An upload of 1,500 bytes goes in four parts; `complete` answers its end.
struct S3PartsTest : S3Test {
  std::unique_ptr<S3Store> MakeParts(const std::string& complete, int failing_part = 0) {
    return Make([=](const Http::Request& request, Http::Peer& peer) {
      const auto has = [&](const char* part) {
        return request.target.find(part) != std::string::npos;
      };
      if (request.method == "POST" && has("uploads=")) {
        peer.Answer(200,
                    "<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId>"
                    "</InitiateMultipartUploadResult>");
      } else if (request.method == "PUT") {
        if (has(fmt::format("partNumber={}&", failing_part).c_str())) {
          peer.Answer(403, Error("AccessDenied"));
        } else {
          peer.Answer(200, "", "ETag: \"p\"\r\n");
        }
      } else if (request.method == "POST") {
        peer.Answer(200, complete);
      } else if (request.method == "HEAD") {
        peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 1500\r\nETag: \"whole\"\r\n\r\n");
      } else {
        peer.Answer(204, "");
      }
      return true;
    });
  }
  static constexpr char kDone[] =
      "<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>&quot;whole&quot;</ETag>"
      "</CompleteMultipartUploadResult>";
};

TEST_F(S3PartsTest, LargeFilesGoInParts) {
  const auto store = MakeParts(kDone);
  const auto put = store->PutFile("k", File(1500), "uid");
  EXPECT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(Seen("partNumber="), 4U);
  EXPECT_EQ(Seen("uploadId=u%261"), 5U);
  EXPECT_EQ(Seen("DELETE"), 0U);
}

TEST_F(S3PartsTest, AFailedPartAbortsTheUpload) {
  const auto store = MakeParts(kDone, 3);
  ExpectReason(store->PutFile("k", File(1500), "uid").status(), "CredentialsRefused");
  EXPECT_EQ(Seen("DELETE"), 1U);
}

TEST_F(S3PartsTest, AnErrorInsideOf200AbortsTheUpload) {
  const auto store = MakeParts(Error("InternalError"));
  ExpectReason(store->PutFile("k", File(1500), "uid").status(), "BadAnswer", "InternalError");
  EXPECT_EQ(Seen("DELETE"), 1U);
}

TEST_F(S3PartsTest, GarbageAtTheEndAbortsTheUpload) {
  const auto store = MakeParts("<CompleteMultipartUploadResult><ETag>");
  ExpectReason(store->PutFile("k", File(1500), "uid").status(), "BadAnswer");
  EXPECT_EQ(Seen("DELETE"), 1U);
}

TEST_F(S3Test, ListsAllPages) {
  const auto store = Make([&](const Http::Request& request, Http::Peer& peer) {
    const bool is_second = request.target.find("continuation-token=t%2F1") != std::string::npos;
    peer.Answer(200, is_second
                         ? "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/b"
                           "</Key><Size>2</Size></Contents></ListBucketResult>"
                         : "<ListBucketResult><IsTruncated>true</IsTruncated>"
                           "<NextContinuationToken>t/1</NextContinuationToken><Contents>"
                           "<Key>p/a&lt;</Key><Size>1</Size></Contents></ListBucketResult>");
    return true;
  });
  const auto list = store->List("p/");
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].key, "p/a<");
  EXPECT_EQ((*list)[1].size, 2U);
}

TEST_F(S3Test, ListsThatLieAreRefused) {
  std::string body;
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    peer.Answer(200, body);
    return true;
  });
  const std::string head = "<ListBucketResult><IsTruncated>true</IsTruncated>";
  const std::string entry = "<Contents><Key>p/a</Key><Size>1</Size></Contents>";
  const std::string end = "</ListBucketResult>";
  for (const std::string& lie :
       {std::string("<html>"), head + entry + end,  // goes on without saying where
        head + "<NextContinuationToken>t</NextContinuationToken>" + end,  // goes on for ever
        "<ListBucketResult><Contents><Key>elsewhere</Key><Size>1</Size></Contents>" + end,
        "<ListBucketResult><Contents><Key>p/a</Key><Size>-1</Size></Contents>" + end}) {
    body = lie;
    ExpectReason(store->List("p/").status(), "BadAnswer");
  }
  body = head + "<NextContinuationToken>t</NextContinuationToken>" + entry + end;
  ExpectReason(store->List("p/").status(), "BadAnswer", "does not go on");
}

TEST_F(S3Test, AnAnswerWithoutEndIsCutOff) {
  const auto store = Make([&](const auto&, Http::Peer& peer) {
    peer.Write("HTTP/1.1 500 Error\r\n\r\n");
    const std::string piece(65536, 'z');
    for (int i = 0; i < 64 && peer.is_open(); ++i) peer.Write(piece);
    return false;
  });
  EXPECT_EQ(store->PutText("k", "text").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Seen("PUT"), 1U);
}

TEST_F(S3Test, EndpointsThatAreNoneAreRefused) {
  for (const char* const endpoint :
       {"", "s3.example.org", "ftp://x", "http://", "https://a/b", "https://a?b", "https://u@a"}) {
    S3Options options;
    options.endpoint = endpoint;
    EXPECT_FALSE(S3Store::Create(options, clock, base::PosixFileSystem(), {}).ok()) << endpoint;
  }
}

}  // namespace
}  // namespace etcd::store
