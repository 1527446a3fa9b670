import { All, Body, Controller, Param, Post, Put, Req, Version } from '@nestjs/common';
import { Deadline, SkipTimeout } from 'nestjs-timeouts';
import type { AnyRequest } from './raw-uploads.js';
import { rawOf } from './raw-uploads.js';

/** `patient` and `lifted` allow for more than any test takes, `tight` for TIGHT, `plain` is unmarked. */
export type Which = 'patient' | 'lifted' | 'tight' | 'plain';

export const TIGHT = 200;

const PATIENT = Deadline({ body: '60s' });
const LIFTED = SkipTimeout('body');
const CUT_SOON = Deadline({ body: TIGHT });

function took(which: Which, body: unknown) {
  return { took: which, length: JSON.stringify(body).length };
}

@Controller('uploads')
export class Uploads {
  @PATIENT
  @Post('patient')
  patient(@Body() body: unknown) {
    return took('patient', body);
  }

  @LIFTED
  @Post('lifted')
  lifted(@Body() body: unknown) {
    return took('lifted', body);
  }

  @CUT_SOON
  @Post('tight')
  tight(@Body() body: unknown) {
    return took('tight', body);
  }

  @Post('plain')
  plain(@Body() body: unknown) {
    return took('plain', body);
  }

  @PATIENT
  @Put('plain')
  replace(@Body() body: unknown) {
    return took('patient', body);
  }
}

/** Every path matches the same number of segments: only what stands where tells them apart. */
@Controller('shops/:shop')
export class ParameterUploads {
  @PATIENT
  @Post(':id/patient')
  patient(@Body() body: unknown, @Param('id') _id: string) {
    return took('patient', body);
  }

  @LIFTED
  @All(':id/lifted')
  lifted(@Body() body: unknown) {
    return took('lifted', body);
  }

  @CUT_SOON
  @Post([':id/narrow', ':id/tight'])
  tight(@Body() body: unknown) {
    return took('tight', body);
  }

  @Post(':id/:which')
  plain(@Body() body: unknown) {
    return took('plain', body);
  }
}

@Controller('files')
export class WildcardUploads {
  @PATIENT
  @Post('patient/*')
  patient(@Body() body: unknown) {
    return took('patient', body);
  }

  @LIFTED
  @Post('lifted/*')
  lifted(@Body() body: unknown) {
    return took('lifted', body);
  }

  @CUT_SOON
  @Post('tight/*')
  tight(@Body() body: unknown) {
    return took('tight', body);
  }

  @Post('*')
  plain(@Body() body: unknown) {
    return took('plain', body);
  }
}

/** One path, and the version is all that tells its routes apart. */
@Controller('versioned')
export class VersionedUploads {
  @Version('plain')
  @Post()
  plain(@Body() body: unknown) {
    return took('plain', body);
  }

  @PATIENT
  @Version(['patient', 'patient-too'])
  @Post()
  patient(@Body() body: unknown) {
    return took('patient', body);
  }

  @LIFTED
  @Version('lifted')
  @Post()
  lifted(@Body() body: unknown) {
    return took('lifted', body);
  }

  @CUT_SOON
  @Version('tight')
  @Post()
  tight(@Body() body: unknown) {
    return took('tight', body);
  }
}

async function read(request: AnyRequest): Promise<unknown> {
  let text = '';
  for await (const chunk of rawOf(request)) text += String(chunk);
  return JSON.parse(text);
}

@Controller('raw')
export class RawUploads {
  @PATIENT
  @Post('patient')
  async patient(@Req() request: AnyRequest) {
    return took('patient', await read(request));
  }

  @LIFTED
  @Post('lifted')
  async lifted(@Req() request: AnyRequest) {
    return took('lifted', await read(request));
  }

  @CUT_SOON
  @Post('tight')
  async tight(@Req() request: AnyRequest) {
    return took('tight', await read(request));
  }

  @Post('plain')
  async plain(@Req() request: AnyRequest) {
    return took('plain', await read(request));
  }
}
