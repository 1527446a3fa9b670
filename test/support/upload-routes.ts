import type { VersioningOptions } from '@nestjs/common';
import { Module, RequestMethod, VersioningType } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import type { TestAppSettings } from './app.js';
import type { AnyRequest } from './raw-uploads.js';
import { leaveRawBodies, RAW } from './raw-uploads.js';
import type { Which } from './upload-controllers.js';
import {
  ParameterUploads,
  RawUploads,
  Uploads,
  VersionedUploads,
  WildcardUploads,
} from './upload-controllers.js';

@Module({ controllers: [Uploads] })
class MountedModule {}

/** Where an upload goes. */
export interface Address {
  readonly path: string;
  /** Whole lines. */
  readonly headers: readonly string[];
}

/** A way to tell routes apart. */
export interface UploadKind {
  readonly kind: string;
  readonly settings: TestAppSettings;
  address(which: Which): Address;
}

const JSON_BODY = 'Content-Type: application/json';

function at(path: string, ...headers: string[]): Address {
  return { path, headers: [JSON_BODY, ...headers] };
}

function versioned(
  kind: string,
  options: VersioningOptions,
  header: (which: Which) => string,
): UploadKind {
  return {
    kind,
    settings: {
      controllers: [VersionedUploads],
      prepare: (app) => void app.enableVersioning(options),
    },
    address: (which) => at('/versioned', header(which)),
  };
}

export const UPLOAD_KINDS: readonly UploadKind[] = [
  {
    kind: 'plain paths',
    settings: { controllers: [Uploads] },
    address: (which) => at(`/uploads/${which}`),
  },
  {
    kind: 'paths with a query',
    settings: { controllers: [Uploads] },
    address: (which) => at(`/uploads/${which}?next=/uploads/plain`),
  },
  {
    kind: 'a global prefix and versions in the URL',
    settings: {
      controllers: [VersionedUploads],
      prepare: (app) => void app.setGlobalPrefix('api').enableVersioning(),
    },
    address: (which) => at(`/api/v${which}/versioned`),
  },
  {
    kind: 'a route that the global prefix leaves out',
    settings: {
      controllers: [Uploads],
      prepare: (app) =>
        void app.setGlobalPrefix('api', {
          exclude: ['patient', 'lifted', 'tight', 'plain'].map((which) => ({
            path: `uploads/${which}`,
            method: RequestMethod.ALL,
          })),
        }),
    },
    address: (which) => at(`/uploads/${which}`),
  },
  versioned(
    'versions in a header',
    { type: VersioningType.HEADER, header: 'x-version' },
    (which) => `X-Version: ${which}`,
  ),
  versioned(
    'versions in the media type',
    { type: VersioningType.MEDIA_TYPE, key: 'v=' },
    (which) => `Accept: application/json;v=${which}`,
  ),
  versioned(
    'versions told by the application',
    {
      type: VersioningType.CUSTOM,
      extractor: (request) => String((request as AnyRequest).headers['x-release']),
    },
    (which) => `X-Release: ${which}`,
  ),
  {
    kind: 'path parameters',
    settings: { controllers: [ParameterUploads] },
    address: (which) => at(`/shops/caf%C3%A9/7/${which}`),
  },
  {
    kind: 'wildcards',
    settings: { controllers: [WildcardUploads] },
    address: (which) => at(`/files/${which}/a/b%2Fc`),
  },
  {
    kind: 'a module mounted by RouterModule',
    settings: {
      imports: [MountedModule, RouterModule.register([{ path: 'sub', module: MountedModule }])],
    },
    address: (which) => at(`/sub/uploads/${which}`),
  },
  {
    kind: 'handlers that read the body themselves',
    settings: { controllers: [RawUploads], prepare: leaveRawBodies },
    address: (which) => ({ path: `/raw/${which}`, headers: [RAW] }),
  },
];
