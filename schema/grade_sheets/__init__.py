"""Grade sheets (成绩单文件) in GraphQL."""
