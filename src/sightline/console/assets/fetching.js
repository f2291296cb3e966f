// A file that the API makes when it is asked for, saved by the browser.
"use strict";

/** Empty when it is saved, else why there is none, in the API's words. */
sightline.save = async (path) => {
  try {
    const answer = await fetch(`/api/v1${path}`, { headers: sightline.headers() });
    if (!answer.ok) return (await answer.json().catch(() => ({}))).detail ?? answer.statusText;
    const name = /filename="?([^";]+)/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "export.zip";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    return "";
  } catch (error) {
    return error.message;
  }
};
