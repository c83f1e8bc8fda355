// The parameters of JDBC URLs that can do no harm on a worker's host, for each driver. What is not here can often load
// a class (socketFactory), read a file (passfile, allowLoadLocalInfile), write one (loggerFile, traceFile) or connect
// elsewhere than the URL's host says (hostaddr, serverName, localSocket, secondary URL): add a name only after reading
// the driver's manual. Names are compared as `same` says.
#pragma once

#include <span>
#include <string_view>

namespace pipekit {

enum class UrlSyntax {
  file,       // a path, then ?a=b&c=d; no host
  query,      // //hosts/path?a=b&c=d
  semicolon,  // //hosts/path;a=b;c=d
  colon,      // //hosts/path:a=b;c=d;
  oracle,     // thin:@//host:port/service, thin:@host:port:sid, thin:@(DESCRIPTION=...)
};

enum class SameName { exact, folded };  // folded: without case, blanks, _ and -

struct JdbcEngine {
  std::string_view name;  // what follows "jdbc:"
  UrlSyntax syntax;
  SameName same;
  std::string_view port;
  std::span<const std::string_view> parameters;
};

// The engine of a name in lower case; of any other name one with the parameters that most drivers have.
const JdbcEngine& jdbc_engine(std::string_view name);

}  // namespace pipekit
