// tus-js-client, as a front end on Node uses it. Prints a JSON line for whatever happens.
import { createReadStream, statSync } from "node:fs";
import { FileUrlStorage, Upload } from "tus-js-client";

const told = JSON.parse(process.argv[2]);
const print = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const storage = told.urls ? { urlStorage: new FileUrlStorage(told.urls) } : {};

const upload = new Upload(createReadStream(told.file), {
  endpoint: told.endpoint,
  headers: { Authorization: `Bearer ${told.token}` },
  metadata: told.metadata,
  uploadSize: statSync(told.file).size,
  chunkSize: told.chunkSize,
  retryDelays: told.retryDelays ?? null,
  overridePatchMethod: told.overridePatchMethod ?? false,
  fingerprint: async () => told.file,
  ...storage,
  onUploadUrlAvailable: () => print("created", { url: upload.url }),
  onChunkComplete: (_, accepted) => {
    print("chunk", { accepted });
    if (told.leaveAfter && accepted >= told.leaveAfter) process.exit(0);
  },
  onSuccess: ({ lastResponse }) =>
    print("success", { scan: lastResponse.getHeader("Registrar-Scan-Id"), status: lastResponse.getStatus() }),
  onError: (error) =>
    print("error", {
      message: error.message,
      status: error.originalResponse?.getStatus(),
      body: error.originalResponse?.getBody(),
    }),
});

if (told.terminate) {
  await Upload.terminate(told.terminate, { headers: { Authorization: `Bearer ${told.token}` }, retryDelays: null });
  print("terminated");
} else {
  const before = told.urls ? await upload.findPreviousUploads() : [];
  if (before.length) {
    print("found", { url: before[0].uploadUrl });
    upload.resumeFromPreviousUpload(before[0]);
  }
  upload.start();
}
